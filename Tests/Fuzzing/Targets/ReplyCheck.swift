import MailModel
import SMTPProtocol

/// Replies of a server: read the same in all pieces, bounded, and harmless once written again.
enum ReplyCheck {
    struct Outcome: Equatable {
        var replies: [RemoteReply] = []
        var isMalformed = false
        var consumed = 0
    }

    static func check(_ input: [UInt8]) throws(Violation) {
        let whole = try self.read(input, .whole)
        for pieces in [Pieces.bytes, .random] {
            try promise(try self.read(input, pieces) == whole, "replies depend on their pieces")
        }
        for reply in whole.replies.prefix(2) { try self.rewrite(reply.asReply) }
    }

    private static func read(_ input: [UInt8], _ pieces: Pieces) throws(Violation) -> Outcome {
        var limits = SMTPReplyDecoder.Limits()
        limits.lineBytes = 200
        limits.lines = 8
        var decoder = SMTPReplyDecoder(limits: limits)
        var outcome = Outcome()
        var offered = 0
        for length in pieces.lengths(of: input) {
            offered += length
            while outcome.consumed < offered {
                let (consumed, result) = decoder.decode(input.span.extracting(outcome.consumed..<offered))
                try promise(consumed > 0 && consumed <= offered - outcome.consumed, "no progress, or too much")
                outcome.consumed += consumed
                switch result {
                case .needInput: try promise(outcome.consumed == offered, "bytes left over without a reply")
                case .reply(let reply): outcome.replies.append(reply)
                case .malformed:
                    outcome.isMalformed = true
                    return outcome
                }
            }
        }
        for reply in outcome.replies {
            try promise(reply.lines.count <= limits.lines, "more lines than allowed")
            // Bytes that are no UTF-8 become three each.
            try promise(reply.lines.allSatisfy { $0.utf8.count <= 3 * limits.lineBytes }, "a line over its limit")
        }
        return outcome
    }

    private static func rewrite(_ reply: SMTPReply) throws(Violation) {
        let wire = reply.serialised
        try promise(wire.isPrintableLines, "a reply is not printable")
        try promise(reply.description.utf8.allSatisfy { (0x20...0x7e).contains($0) }, "a description is not printable")
        let lines = wire.split(separator: 10)
        try promise(lines.allSatisfy { $0.count < SMTPReply.maximumLineLength }, "a written line over its limit")
        var decoder = SMTPReplyDecoder()
        let (consumed, result) = decoder.decode(wire.span)
        guard case .reply(let again) = result else { throw Violation("a reply of ours cannot be read") }
        try promise(consumed == wire.count && again.code == reply.code, "a reply of ours is read as another one")
    }
}
