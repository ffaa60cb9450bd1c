/// The paths from a leaf up to an anchor through the certificates that a host presented, in whatever order (RFC 4158).
///
/// Two versions of a cross-signed certificate have one name and one key, and differ in who signed them. One path leads
/// to each signer. Signatures are not looked at here; whoever takes a path verifies it.
public struct CertificatePaths {
    /// How often the search may go one certificate further, so that certificates which all fit each other cost little.
    static let maximumSteps = 256

    private let count: Int
    private let isIssued: (Int, Int) -> Bool
    private let isAnchor: (Int) -> Bool
    private let mayEndBelowAnchor: Bool
    private var stepsLeft = CertificatePaths.maximumSteps
    private var found: [[Int]] = []

    /// The paths through `count` certificates, the leaf being number 0: each lists its certificates from the leaf up. Paths that
    /// take certificates as they were presented come first; there are at most `DANELimits.alternativePaths` and one.
    ///
    /// - Parameters:
    ///   - isIssued: whether the first may have been issued by the second, by their names and key identifiers.
    ///   - isAnchor: whether a record is about this certificate; a path ends there.
    ///   - mayEndBelowAnchor: an anchor may stand in a record in full, so that a path may also end where nothing goes on.
    public static func find(
        count: Int, mayEndBelowAnchor: Bool, isIssued: @escaping (Int, Int) -> Bool,
        isAnchor: @escaping (Int) -> Bool
    ) -> [[Int]] {
        guard count > 0 else { return [] }
        var search = CertificatePaths(
            count: count, isIssued: isIssued, isAnchor: isAnchor, mayEndBelowAnchor: mayEndBelowAnchor)
        search.extend([0])
        return search.found
    }

    private init(
        count: Int, isIssued: @escaping (Int, Int) -> Bool, isAnchor: @escaping (Int) -> Bool, mayEndBelowAnchor: Bool
    ) {
        self.count = count
        self.isIssued = isIssued
        self.isAnchor = isAnchor
        self.mayEndBelowAnchor = mayEndBelowAnchor
    }

    private mutating func extend(_ path: [Int]) {
        guard let top = path.last, self.stepsLeft > 0, self.found.count <= DANELimits.alternativePaths else { return }
        self.stepsLeft -= 1
        // An anchor issues, so the leaf is none.
        if path.count > 1, self.isAnchor(top) { return self.found.append(path) }
        var goesOn = false
        for issuer in 0..<self.count where !path.contains(issuer) && self.isIssued(top, issuer) {
            goesOn = true
            self.extend(path + [issuer])
        }
        if !goesOn, self.mayEndBelowAnchor { self.found.append(path) }
    }
}
