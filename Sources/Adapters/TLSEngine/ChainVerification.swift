import COpenSSL
import Cryptography
import DANE
import DNSModel
import TransportSecurity

/// Holds the chain of one host against its TLSA records, within `DANELimits`.
///
/// OpenSSL builds one chain from what a host presents, and of two versions of a cross-signed certificate it takes the
/// first. If that chain fails, it is given the certificates of each other path to an anchor (RFC 4158), one path after
/// the other. OpenSSL verifies each in whole, so nothing counts as proven that it did not prove.
@safe final class ChainVerification {
    /// What OpenSSL was given to do, each at the most that it can cost.
    struct Work: Hashable {
        /// Chains to build and verify.
        var chains = 0
        /// Signatures to check: one for each certificate of these chains, and one for each key that a `2 1 0` record holds.
        var signatureChecks = 0
    }

    private let authentication: DANEAuthentication
    private let anchors: AnchorRecords
    private(set) var work = Work()
    /// How many certificates the host presented.
    private var presented = 0

    init(_ authentication: DANEAuthentication) {
        self.authentication = authentication
        self.anchors = AnchorRecords(authentication.countedRecords)
    }

    /// Lets the callback below find this by its connection, which must not outlive it.
    @unsafe func attach(to connection: OpaquePointer) throws(TLSConfigurationError) {
        guard unsafe relay_SSL_set_app_data(connection, Unmanaged.passUnretained(self).toOpaque()) == 1 else {
            throw TLSConfigurationError(.refused, "no memory for a TLS connection")
        }
    }

    /// OpenSSL's callback for a peer's chain: 1 if it is verified.
    @unsafe static func verify(_ store: OpaquePointer?) -> Int32 {
        guard let store = unsafe store else { return 0 }
        guard let data = unsafe relay_X509_STORE_CTX_app_data(store) else {
            unsafe X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED)
            return 0
        }
        // The connection whose handshake this is keeps the object alive.
        let verification = unsafe Unmanaged<ChainVerification>.fromOpaque(data).takeUnretainedValue()
        return unsafe verification.verify(store) ? 1 : 0
    }

    /// The same failure, named for the limit where one kept certificates or records from being looked at.
    func naming(_ failure: TLSFailure) -> TLSFailure {
        guard failure.reason == .noRecordMatched else { return failure }
        let leftOut = self.authentication.records.count - self.authentication.countedRecords.count
        var limits: [String] = []
        if self.presented > DANELimits.certificates {
            limits.append("of \(self.presented) certificates the first \(DANELimits.certificates) count")
        }
        if leftOut > 0 {
            limits.append("\(leftOut) TLSA records beyond \(DANELimits.fullRecords) with full data do not count")
        }
        guard !limits.isEmpty else { return failure }
        return TLSFailure(.chainBeyondLimit, ([failure.text] + limits).joined(separator: "; "))
    }

    // MARK: - Orders of the chain

    /// Verifies in `store` what was presented. A path is the positions of its certificates in that.
    @unsafe private func verify(_ store: OpaquePointer) -> Bool {
        guard let presented = unsafe X509_STORE_CTX_get0_untrusted(store) else {
            // Failing without a reason must not be read as success.
            unsafe X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED)
            return false
        }
        // What was presented outlives this call, and is left in its place.
        defer { unsafe X509_STORE_CTX_set0_untrusted(store, presented) }
        self.presented = Int(unsafe relay_sk_X509_num(presented))
        let counted = min(self.presented, DANELimits.certificates)
        let isVerified =
            unsafe counted < self.presented
            ? self.verify(Array(0..<counted), of: presented, in: store) : self.verify(counted, in: store)
        if isVerified { return true }
        var verdict = unsafe X509_STORE_CTX_get_error(store)
        // The name is the leaf's, whatever is above it.
        guard verdict != X509_V_ERR_HOSTNAME_MISMATCH else { return false }
        let first = unsafe Self.path(of: store, in: presented, counted)
        for path in unsafe self.paths(through: presented, counted) where path != first {
            guard self.work.signatureChecks + self.checks(path.count) <= DANELimits.signatureChecks else { break }
            unsafe X509_STORE_CTX_set0_verified_chain(store, nil)
            unsafe X509_STORE_CTX_set_error(store, X509_V_OK)
            if unsafe self.verify(path, of: presented, in: store) { return true }
            // A chain that led to an anchor says more than one that did not.
            if DANEVerification.reason(verdict) == .noRecordMatched {
                verdict = unsafe X509_STORE_CTX_get_error(store)
            }
        }
        unsafe X509_STORE_CTX_set_error(store, verdict)
        return false
    }

    private func checks(_ certificates: Int) -> Int { certificates + self.anchors.bareKeys }

    /// Verifies a chain of the certificates that are in `store`, which are so many.
    @unsafe private func verify(_ certificates: Int, in store: OpaquePointer) -> Bool {
        self.work.chains += 1
        self.work.signatureChecks += self.checks(certificates)
        return unsafe X509_verify_cert(store) == 1
    }

    /// Verifies a chain of these certificates alone.
    @unsafe private func verify(_ path: [Int], of presented: OpaquePointer, in store: OpaquePointer) -> Bool {
        guard let stack = unsafe relay_sk_X509_new() else {
            unsafe X509_STORE_CTX_set_error(store, X509_V_ERR_OUT_OF_MEM)
            return false
        }
        // The stack is ours; what is in it belongs to `presented`.
        defer { unsafe relay_sk_X509_free(stack) }
        for position in path {
            guard unsafe relay_sk_X509_push(stack, relay_sk_X509_value(presented, Int32(position))) > 0 else {
                unsafe X509_STORE_CTX_set_error(store, X509_V_ERR_OUT_OF_MEM)
                return false
            }
        }
        unsafe X509_STORE_CTX_set0_untrusted(store, stack)
        return unsafe self.verify(path.count, in: store)
    }

    /// The path that OpenSSL took last.
    @unsafe private static func path(of store: OpaquePointer, in presented: OpaquePointer, _ count: Int) -> [Int] {
        let chain = unsafe X509_STORE_CTX_get0_chain(store)
        // OpenSSL shares certificates, so one that was presented is the same object here and there.
        return (0..<max(0, unsafe relay_sk_X509_num(chain))).compactMap { depth in
            (0..<count).first { position in
                unsafe relay_sk_X509_value(presented, Int32(position)) == relay_sk_X509_value(chain, depth)
            }
        }
    }

    /// All paths to an anchor.
    @unsafe private func paths(through presented: OpaquePointer, _ count: Int) -> [[Int]] {
        // Two certificates have one order, and below DANE-TA a chain has at least two.
        guard count > 2, !self.anchors.isEmpty else { return [] }
        let isAnchor = (0..<count).map { position in
            unsafe relay_sk_X509_value(presented, Int32(position)).map { certificate in
                unsafe self.anchors.contains(PeerCertificate(reading: certificate))
            } ?? false
        }
        let paths = CertificatePaths.find(
            count: count, mayEndBelowAnchor: self.anchors.areHeld,
            isIssued: { lower, upper in
                // By names, key identifiers and key usage; no signature is checked. Both belong to `presented`.
                unsafe X509_check_issued(
                    relay_sk_X509_value(presented, Int32(upper)), relay_sk_X509_value(presented, Int32(lower)))
                    == X509_V_OK
            }, isAnchor: { isAnchor[$0] })
        OpenSSLErrors.clear()
        return paths
    }
}

/// The DANE-TA records of a host, to find the certificates that they are about.
private struct AnchorRecords {
    private let records: Set<TLSARecord>
    private let kinds: Set<[UInt8]>
    /// How many hold a key in full, which then is tried by a signature check.
    let bareKeys: Int
    /// Whether an anchor may stand in a record, and so need not be presented.
    let areHeld: Bool

    init(_ records: [TLSARecord]) {
        let anchors = records.filter { $0.usage == .daneTA }
        self.records = Set(anchors)
        self.kinds = Set(anchors.map { [$0.selector.rawValue, $0.matchingType.rawValue] })
        self.bareKeys = anchors.count { $0.matchingType == .full && $0.selector == .spki }
        self.areHeld = anchors.contains { $0.matchingType == .full }
    }

    var isEmpty: Bool { self.records.isEmpty }

    func contains(_ certificate: PeerCertificate) -> Bool {
        self.kinds.contains { kind in
            let (selector, type) = (TLSARecord.Selector(rawValue: kind[0]), TLSARecord.MatchingType(rawValue: kind[1]))
            return self.records.contains(certificate.tlsaRecord(usage: .daneTA, selector: selector, matchingType: type))
        }
    }
}
