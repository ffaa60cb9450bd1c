import ArgumentParser

@main
struct RelayBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relay-bench", abstract: "Measure the relay on a small world of its own on loopback.",
        subcommands: [
            EndToEnd.self, Idle.self, Bodies.self, Queue.self, Steady.self, Limited.self, Silent.self, LookUps.self,
            Handshakes.self, TraceSearch.self, GRPC.self, Control.self,
        ])
}
