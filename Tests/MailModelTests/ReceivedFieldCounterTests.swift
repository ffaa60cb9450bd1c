import MailModel
import Testing

@Suite("Received fields")
struct ReceivedFieldCounterTests {
    @Test("hostile-input 14: the 51st Received field makes a loop, in any case and at any split")
    func loop() {
        let field = "rEcEiVeD: from a\r\n\tby b; Mon\r\n"
        let others = "X-Received: no\r\nReceived-SPF: no\r\nSubject: Received: no\r\n"
        let content = Array((others + String(repeating: field, count: 51) + "\r\nReceived: body\r\n").utf8)
        var whole = ReceivedFieldCounter()
        whole.consume(content)
        #expect(whole.count == 51 && whole.isLoop)
        var bytewise = ReceivedFieldCounter()
        for byte in content { bytewise.consume(CollectionOfOne(byte)) }
        #expect(bytewise == whole)
    }

    @Test("Fifty are a long way and no loop, and a body may hold any number")
    func noLoop() {
        let fields = String(repeating: "Received: x\r\n", count: 50)
        var counter = ReceivedFieldCounter()
        counter.consume(Array((fields + "\r\n" + fields).utf8))
        #expect(counter.count == 50 && !counter.isLoop)
    }
}
