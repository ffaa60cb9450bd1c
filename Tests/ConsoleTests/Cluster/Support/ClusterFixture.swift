import ClusterModel
import ControlClient
import Foundation
import LabSupport
import MailModel
import NIOPosix
import OperatingSystem
import Synchronization
import Testing

@testable import Console

/// A person with a folder for contexts and a controller to talk to.
struct ClusterFixture {
    let controller: TestController
    let address: ControllerAddress
    let folder: URL
    let store: ContextStore

    /// Runs `body` beside a controller, with a folder that goes away.
    static func run(_ body: (ClusterFixture) async throws -> Void) async throws {
        let controller = try TestController()
        try await withTemporaryFolder { folder in
            try await controller.serving { address in
                try await body(
                    ClusterFixture(
                        controller: controller, address: address, folder: folder,
                        store: ContextStore(folder: folder.appending(path: ".config/relayctl").path)))
            }
        }
    }

    /// What a command wrote, said and asked, and how it ended.
    struct Transcript {
        var output = ""
        var said: [String] = []
        var asked: [String] = []
        var failure: ConsoleFailure?

        var lines: [String] { self.output.split(separator: "\n").map { String($0) } }

        var json: [String: Any] {
            get throws {
                try #require(try JSONSerialization.jsonObject(with: Data(self.output.utf8)) as? [String: Any])
            }
        }
    }

    /// Runs a command as somebody; `answer` is a person's at a terminal, `nil` where there is none.
    func run(
        _ format: OutputFormat = .table, as role: ClusterRole = .admin, credential: ClusterCredential? = nil,
        answer: Bool? = nil, time: any NodeClock = .system,
        _ command: (ClusterConsole) async throws(ConsoleFailure) -> Void
    ) async throws -> Transcript {
        let credential = try credential ?? self.controller.credential(of: "alice", role)
        let context = ClusterContext(name: "lab", addresses: [self.address], credential: credential)
        return await self.transcript(answer: answer, time: time) { session throws(ConsoleFailure) in
            try await session.run(context) { client throws(ConsoleFailure) in
                try await command(
                    ClusterConsole(client: client, format: format, terminal: session.terminal, time: session.time))
            }
        }
    }

    /// Runs what a session does.
    func transcript(
        answer: Bool? = nil, time: any NodeClock = .system,
        _ body: (ClusterSession) async throws(ConsoleFailure) -> Void
    ) async -> Transcript {
        let box = Box()
        var confirm: (@Sendable (String) -> Bool)?
        if let answer {
            confirm = { question in
                box.change { $0.asked.append(question) }
                return answer
            }
        }
        let terminal = ConsoleTerminal(
            write: { bytes in box.change { $0.output += String(decoding: bytes, as: UTF8.self) } }, isShown: false,
            say: { line in box.change { $0.said.append(line) } }, confirm: confirm)
        let session = ClusterSession(
            store: self.store, terminal: terminal, time: time, random: .system,
            group: MultiThreadedEventLoopGroup.singleton)
        do throws(ConsoleFailure) {
            try await body(session)
        } catch {
            box.change { $0.failure = error }
        }
        return box.value
    }

    private final class Box: Sendable {
        private let state = Mutex(Transcript())
        var value: Transcript { self.state.withLock { $0 } }
        func change(_ body: (inout Transcript) -> Void) { self.state.withLock { body(&$0) } }
    }

    /// Writes a file into the folder; its path.
    func write(_ name: String, _ text: String) throws -> String {
        let path = self.folder.appending(path: name)
        try Data(text.utf8).write(to: path)
        return path.path
    }

    static func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }
}
