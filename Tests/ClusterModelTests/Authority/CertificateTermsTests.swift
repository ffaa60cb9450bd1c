import ClusterModel
import MailModel
import Testing

@Suite("Dates of the cluster's certificates")
struct CertificateTermsTests {
    private static let now = Timestamp(microseconds: 1_800_000_000_750_000)
    private static let start = Timestamp(seconds: 1_800_000_000)

    @Test(
        "control 12: programs' certificates last 24 h and are renewed at half life",
        arguments: [ClusterRole.node, .controller])
    func programs(_ role: ClusterRole) {
        let dates = CertificateTerms().dates(of: role, issuedAt: Self.now)
        #expect(dates.notAfter == Self.start + .seconds(24 * 3600))
        #expect(dates.renewAfter == Self.start + .seconds(12 * 3600))
    }

    @Test("control 12: people's certificates last 90 days", arguments: [ClusterRole.admin, .viewer])
    func people(_ role: ClusterRole) {
        let dates = CertificateTerms().dates(of: role, issuedAt: Self.now)
        #expect(dates.notAfter == Self.start + .seconds(90 * 86_400))
        #expect(dates.renewAfter == Self.start + .seconds(45 * 86_400))
    }

    @Test(
        "control 15: a certificate begins 5 min before it is issued, in whole seconds", arguments: ClusterRole.allCases)
    func backdated(_ role: ClusterRole) {
        let terms = CertificateTerms(lifetime: .milliseconds(7_500), backdating: .milliseconds(2_500))
        #expect(CertificateTerms().dates(of: role, issuedAt: Self.now).notBefore == Self.start + .seconds(-300))
        let dates = terms.dates(of: role, issuedAt: Self.now)
        let all = [dates.notBefore, dates.notAfter, dates.renewAfter]
        #expect(all.allSatisfy { $0.microseconds % 1_000_000 == 0 })
        #expect(dates.notBefore == Self.start + .seconds(-3))
    }

    @Test("control 12: a node may come back with its old key until 7 days after its certificate's end")
    func comeBack() {
        let terms = CertificateTerms()
        func mayComeBack(_ days: Double) -> Bool {
            terms.mayComeBack(notAfter: Self.start, at: Self.start + .seconds(days * 86_400))
        }
        #expect(mayComeBack(-0.5) && mayComeBack(0.5) && mayComeBack(7) && !mayComeBack(7.001))
        #expect(!CertificateTerms(grace: .zero).mayComeBack(notAfter: Self.start, at: Self.now))
    }

    @Test("control 15: a certificate outside its dates is told with both clocks")
    func validityFault() {
        let (begin, end) = (Self.start, Self.start + .seconds(60))
        func fault(_ seconds: Int, theirs: Int? = nil) -> String? {
            CertificateTerms.validityFault(
                notBefore: begin, notAfter: end, ours: begin + .seconds(seconds),
                theirs: theirs.map { begin + .seconds($0) })
        }
        #expect([0, 30, 60].compactMap { fault($0, theirs: 1000) } == [])
        #expect(
            fault(-1, theirs: 2) == """
                The certificate is not valid before 2027-01-15T08:00:00.000Z. The clock here says \
                2027-01-15T07:59:59.000Z, the one there 2027-01-15T08:00:02.000Z.
                """)
        #expect(
            fault(61) == """
                The certificate expired at 2027-01-15T08:01:00.000Z. The clock here says 2027-01-15T08:01:01.000Z.
                """)
    }
}
