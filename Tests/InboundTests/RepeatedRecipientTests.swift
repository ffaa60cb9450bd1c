import Admission
import MailModel
import QueueStore
import TestLiterals
import Testing

@testable import Inbound

/// How the recipients of one transaction become those of queue entries.
@Suite("Repeated recipients")
struct RepeatedRecipientTests {
    @Test("An address that RCPT names three times is one recipient, who hears what any of them asked for (field C10)")
    func repeatedRecipients() throws {
        func recipient(_ notify: NotifyConditions?, _ original: String? = nil) throws -> AdmittedRecipient {
            var admitted = AdmittedRecipient(path: .mailbox("bob@bravo.test"), domain: "bravo.test")
            admitted.notify = notify
            admitted.originalRecipient = try original.map { try #require(OriginalRecipient($0)) }
            return admitted
        }
        func stored(_ recipients: AdmittedRecipient...) -> [QueueRecipient] {
            IncomingMessage.entries(of: recipients).flatMap(\.recipients)
        }
        let plain = QueueRecipient(address: "bob@bravo.test")
        #expect(try stored(recipient(nil), recipient(nil), recipient(nil)) == [plain])
        #expect(try stored(recipient(nil), recipient(.never)) == [plain])
        #expect(
            try stored(recipient(.success), recipient(.failure)).map(\.notify) == ["SUCCESS,FAILURE"])
        // Reports name each of these, so they stay two.
        #expect(try stored(recipient(nil, "rfc822;one@old.test"), recipient(nil)).count == 2)
    }
}
