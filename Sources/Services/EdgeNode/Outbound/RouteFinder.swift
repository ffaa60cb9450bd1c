import DANE
import SecureResolver
import TLSEngine

/// Plans routes: asks the resolver what `RoutePlanning` wants to know, round by round.
struct RouteFinder: Sendable {
    let resolver: SecureResolver
    let policy: RoutePolicy

    /// The hosts for `nextHop`, those of equal preference in random order, or why there are none. Takes at most as many
    /// rounds as planning is deep, each as long as the resolver's deadline.
    func route(to nextHop: NextHop) async -> RouteResult {
        let planning = RoutePlanning(to: nextHop, policy: self.policy)
        var answers: [DNSQuestion: DNSAnswer] = [:]
        while true {
            switch planning.step(answers, parses: TLSAContent.parses) {
            case .ask(let questions):
                answers.merge(await self.answers(to: questions)) { _, new in new }
            case .finished(.plan(let plan)):
                var generator = SystemRandomNumberGenerator()
                return .plan(plan.shuffled(using: &generator))
            case .finished(let result):
                return result
            }
        }
    }

    private func answers(to questions: Set<DNSQuestion>) async -> [DNSQuestion: DNSAnswer] {
        await withTaskGroup { group in
            for question in questions {
                group.addTask { (question, await self.resolver.answer(to: question)) }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }
}
