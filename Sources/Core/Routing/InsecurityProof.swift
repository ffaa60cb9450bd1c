import DNSModel
import MailModel

/// Why an insecure answer may be believed (RFC 4035 §4.3, §5.2): somewhere above its name a zone without DS must begin.
///
/// A validator that gives up says "insecure" too. Where it does not compute a denial, an attacker between us and a
/// signed zone can answer TLSA without a signature. The validator calls that insecure. So the delegations are asked
/// for, from the top. Each DS answer has to be secure until one shows that what is below it is not signed. The order
/// matters, for what a validator says below a denial that it gave up is worth nothing.
struct InsecurityProof {
    enum Step: Hashable {
        /// Ask these, and come back with their answers too; never empty, and two at the most.
        case ask(Set<DNSQuestion>)
        /// The answer is insecure.
        case proven
        /// It is not shown to be, and counts as failed.
        case failed(RouteFailure)
    }

    /// The question whose answer came back insecure.
    let question: DNSQuestion
    /// The aliases that led to that answer.
    let aliases: [DomainName]
    let limits: DNSLimits
    /// That answer is a denial of what a name above it would have to exist for. A secure denial of such a name proves
    /// it, too (RFC 8020 §2): libunbound denies all below `invalid` and others without a signature (RFC 6761).
    var isOfAbsence = false

    /// What to ask next, or the verdict.
    func step(_ answers: [DNSQuestion: DNSAnswer]) -> Step {
        let names = [self.question.name] + self.aliases
        // One insecure link makes the whole answer insecure. The links before it are secure, or else anybody could have
        // made them up and led us anywhere.
        for name in names.dropLast() {
            let question = DNSQuestion(name, .cname)
            switch answers[question] {
            case nil: return .ask([question])
            case .found(_, .secure, _): continue
            case .failed(let failure): return .failed(failure.blameDNSSEC(question))
            // A name that is an alias is no delegation itself.
            case .found(_, .insecure, _), .absent: return self.descend(name.lineage.dropLast(), answers)
            }
        }
        return self.descend((names.last ?? self.question.name).lineage[...], answers)
    }

    /// Looks for an unsigned delegation among `names`, the topmost first.
    private func descend(_ names: ArraySlice<DomainName>, _ answers: [DNSQuestion: DNSAnswer]) -> Step {
        guard names.count <= self.limits.delegations else {
            return .failed(.dnssecInvalid(self.question, .malformed("insecure, and \(names.count) labels deep")))
        }
        let questions = names.map { DNSQuestion($0, .ds) }
        for (index, question) in questions.enumerated() {
            switch answers[question] {
            case nil: return .ask(Set(questions[index...].prefix(2).filter { answers[$0] == nil }))
            case .failed(let failure): return .failed(failure.blameDNSSEC(question))
            case .absent(.unsignedDelegation, _, _): return .proven
            case .found(let records, .secure, _):
                // A zone that is signed by nothing that we know counts as unsigned (RFC 4035 §5.2).
                guard records.contains(where: \.isKnownDelegationSigner) else { return .proven }
            case .absent(.nameError, .secure, _) where self.isOfAbsence: return .proven
            case .absent(_, .secure, _): continue
            case .found(_, .insecure, _), .absent(_, .insecure, _):
                return .failed(.dnssecInvalid(question, .bogus("insecure without a proof")))
            }
        }
        return .failed(.dnssecInvalid(self.question, .bogus("insecure below signed delegations only")))
    }
}

extension DNSRecord {
    /// A DS record by a digest and a signing algorithm that validators know (RFC 8624 §3.1 and §3.3). These are RSA
    /// with SHA-1 or SHA-2, ECDSA and EdDSA; SHA-1, SHA-256 and SHA-384.
    fileprivate var isKnownDelegationSigner: Bool {
        guard case .delegationSigner(let algorithm, let digestType) = self else { return false }
        return [5, 7, 8, 10, 13, 14, 15, 16].contains(algorithm) && [1, 2, 4].contains(digestType)
    }
}

extension DomainName {
    /// This name and those above it but for the root, the topmost first.
    var lineage: [DomainName] {
        let labels = self.labels
        return labels.indices.reversed().compactMap { DomainName(labels[$0...].joined(separator: ".")) }
    }

    /// Whether this is `other` or a name below it.
    func isWithin(_ other: DomainName) -> Bool { self == other || self.text.hasSuffix("." + other.text) }
}
