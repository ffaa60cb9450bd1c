import DANE
import TestLiterals
import Testing

/// Which paths lead through the certificates that a host presented, and how long they are looked for.
@Suite("Orders of a chain (RFC 4158)")
struct CertificatePathTests {
    /// Certificates by letter, the leaf first, each with those that may have issued it.
    private func paths(
        _ issuers: [(Character, String)], anchors: String, mayEndBelowAnchor: Bool = false
    ) -> [String] {
        let letters = issuers.map(\.0)
        return CertificatePaths.find(
            count: letters.count, mayEndBelowAnchor: mayEndBelowAnchor,
            isIssued: { issuers[$0].1.contains(letters[$1]) }, isAnchor: { anchors.contains(letters[$0]) }
        ).map { String($0.map { letters[$0] }) }
    }

    @Test("Of two versions of a cross-signed intermediate either is taken (field D4)")
    func crossSigned() {
        // i and j are one authority, signed by a and by b.
        let chain: [(Character, String)] = [("l", "ij"), ("i", "a"), ("j", "b"), ("a", "a"), ("b", "b")]
        #expect(self.paths(chain, anchors: "b") == ["ljb"])
        #expect(self.paths(chain, anchors: "a") == ["lia"])
        #expect(self.paths(chain, anchors: "ab") == ["lia", "ljb"])
        #expect(self.paths(chain, anchors: "j") == ["lj"])
        #expect(self.paths(chain, anchors: "l").isEmpty, "an anchor issues, so the leaf is none")
    }

    @Test("A path may end below an anchor that stands in a record in full (field D4)")
    func heldAnchor() {
        let chain: [(Character, String)] = [("l", "ij"), ("i", "a"), ("j", "b")]
        #expect(self.paths(chain, anchors: "").isEmpty)
        #expect(self.paths(chain, anchors: "", mayEndBelowAnchor: true) == ["li", "lj"])
    }

    @Test("Authorities that sign each other in a circle are left, and the search ends")
    func circle() {
        #expect(self.paths([("l", "a"), ("a", "b"), ("b", "a")], anchors: "", mayEndBelowAnchor: true) == ["lab"])
    }

    @Test(
        "Ten certificates that all fit each other give a bounded number of paths (field A1, D4)",
        arguments: [true, false])
    func allFit(_ mayEndBelowAnchor: Bool) {
        var asked = 0
        let found = CertificatePaths.find(
            count: DANELimits.certificates, mayEndBelowAnchor: mayEndBelowAnchor,
            isIssued: { _, _ in
                asked += 1
                return true
            }, isAnchor: { _ in false })
        #expect(found.count == (mayEndBelowAnchor ? DANELimits.alternativePaths + 1 : 0))
        #expect(asked <= 256 * DANELimits.certificates)
    }
}
