import Admission
import Cryptography
import MailModel
import TestLiterals
import Testing

@testable import NodeState

/// Files that list the recipients of a domain, or users.
@Suite("Files of recipients and of users")
struct SettingsFileTests {
    @Test("A list is read line by line; quoted local parts and UTF-8 are local parts, too")
    func list() throws {
        let lines = SettingsFile.lines(of: "# staff\nAlice\n\n\"john doe\"\nJÜRGEN\n")
        let list = try RecipientList.read(lines).get()
        for known in ["alice", "ALICE", "\"John Doe\"", "jürgen", "postmaster", "\"alice\""] {
            let mailbox = try #require(Mailbox("\(known)@bravo.test"))
            #expect(list.contains(mailbox), "\(known)")
        }
        #expect(!list.contains("bob@bravo.test"))
    }

    @Test(
        "hostile-input 41: a line that is no local part is named",
        arguments: ["a@bravo.test", "a b", "<a>", "a\\", "a,b"])
    func faults(_ line: String) {
        guard case .failure(let faults) = RecipientList.read(SettingsFile.lines(of: "alice\n\(line)\n")) else {
            Issue.record("it was read")
            return
        }
        #expect(faults.all.map(\.line) == [2])
    }

    private let hash = "$scrypt$ln=15,r=8,p=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OWFiY2RlZg"

    @Test("A file of users is read line by line, with comments")
    func users() throws {
        let lines = SettingsFile.lines(of: "# users\n\nalice@bravo.test:\(self.hash)\r\n  bob:\(self.hash)  \n")
        let users = try UserCredentials.read(lines).get()
        #expect(users.hash(of: "alice@bravo.test").isKnown)
        #expect(users.hash(of: "bob").isKnown)
        #expect(!users.hash(of: "eve").isKnown)
        #expect(users.hash(of: "eve").hash.cost == .standard)
        #expect(users.memoryBytes == 32 << 20)
    }

    @Test(
        "hostile-input 41: what is wrong in it is named by line, and never shown",
        arguments: ["alice", ":HASH", "alice:secret", "alice:$scrypt$ln=30,r=8,p=1$c2FsdHNhbHQ$MDEyMzQ1Njc4OWFiY2RlZg"])
    func faultyUsers(_ line: String) throws {
        let text = "bob:\(self.hash)\n\(line.replacing("HASH", with: self.hash))\nbob:\(self.hash)\n"
        guard case .failure(let faults) = UserCredentials.read(SettingsFile.lines(of: text)) else {
            Issue.record("it was read")
            return
        }
        #expect(faults.all.map(\.line) == [2, 3])
        #expect(!"\(faults.all)".contains("secret"))
    }
}
