import InternationalDomains
import MailModel
import Testing

@Suite("Domain names as people write them")
struct InternationalDomainsTests {
    @Test(
        "U-labels become A-labels by IDNA2008, not by its transitional mapping (RFC 5891 §5)",
        arguments: [
            ("bücher.test", "xn--bcher-kva.test"), ("BÜCHER.test", "xn--bcher-kva.test"),
            ("straße.test", "xn--strae-oqa.test"), ("bu\u{308}cher.test", "xn--bcher-kva.test"),
            ("mx.例え.test", "mx.xn--r8jz45g.test"), ("bücher。test", "xn--bcher-kva.test"),
            ("bücher.test.", "xn--bcher-kva.test"), ("xn--bcher-kva.test", "xn--bcher-kva.test"),
            ("Plain.Example", "plain.example"), ("_25._tcp.mx.example", "_25._tcp.mx.example"),
        ])
    func aLabels(_ text: String, _ expected: String) throws {
        #expect(try DomainName(unicode: text).text == expected)
    }

    @Test(
        "Emoji have the A-labels that IDNA2003 gives them (field C11)",
        arguments: [
            ("😀.test", "xn--e28h.test"), ("☃.test", "xn--n3h.test"), ("i❤.test", "xn--i-7iq.test"),
            ("mx.BÜCHER😀.test", "mx.xn--bcher-kva83980g.test"), ("xn--n3h.test", "xn--n3h.test"),
        ])
    func emoji(_ text: String, _ expected: String) throws {
        #expect(try DomainName(unicode: text).text == expected)
    }

    @Test(
        "What IDNA2003 would make another name of is refused instead (field C11)",
        arguments: ["straße😀.test", "STRAẞE😀.test", "ς☃.test", "👩\u{200D}👩.test", "😀\u{200C}.test"])
    func deviations(_ text: String) {
        #expect(throws: InternationalDomainError.self) { try DomainName(unicode: text) }
    }

    @Test(
        "What is no domain name is refused with a reason",
        arguments: [
            "", ".", "a..b", "-\u{FC}.test", "\u{200D}.test", "a b.test", "a\u{0}.test",
            "xn--\u{FC}.test", "xn--a-ecp.test", "a@b.test", "bücher.\u{661}a\u{5D0}.test", "ü\r\n.test",
            String(repeating: "ü", count: 64) + ".test", String(repeating: "ü", count: 600),
        ])
    func refused(_ text: String) {
        #expect(throws: InternationalDomainError.self) { try DomainName(unicode: text) }
    }
}
