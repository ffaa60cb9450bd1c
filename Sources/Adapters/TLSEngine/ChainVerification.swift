import COpenSSL
import DANE

/// Holds the chain of one host against its TLSA records, within `DANELimits`.
///
/// What is presented beyond is not looked at, so that it costs nothing.
@safe final class ChainVerification {
    /// What OpenSSL was given to do, each at the most that it can cost.
    struct Work: Hashable {
        /// Chains to build and verify.
        var chains = 0
        /// Signatures to check: one for each certificate of these chains, and one for each key that a `2 1 0` record holds.
        var signatureChecks = 0
    }

    private let authentication: DANEAuthentication
    /// Keys that `2 1 0` records hold; each is tried by a signature check.
    private let bareKeys: Int
    private(set) var work = Work()
    /// How many certificates the host presented.
    private var presented = 0

    init(_ authentication: DANEAuthentication) {
        self.authentication = authentication
        self.bareKeys = authentication.countedRecords.count {
            $0.usage == .daneTA && $0.selector == .spki && $0.matchingType == .full
        }
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
        return TLSFailure(.limitExceeded, ([failure.text] + limits).joined(separator: "; "))
    }

    // MARK: - The chain

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
        return unsafe counted < self.presented
            ? self.verify(Array(0..<counted), of: presented, in: store) : self.verify(counted, in: store)
    }

    private func checks(_ certificates: Int) -> Int { certificates + self.bareKeys }

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
}
