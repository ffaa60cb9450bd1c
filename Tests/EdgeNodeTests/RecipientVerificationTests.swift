import Admission
import MailModel
import Testing

@testable import EdgeNode

/// Files that list the recipients of a domain.
@Suite("Files of recipients")
struct RecipientVerificationTests {
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
}
