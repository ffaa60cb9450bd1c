import Cryptography
import Foundation
import GRPCCore
import LabPeers
import LabSupport
import NIOCore
import Synchronization
import Testing

@testable import GRPCTransport

/// Floods over TLS by h2, with the memory of this process before and after (control 24), and nghttp2's own programs.
extension Peers {
    @Suite("Strangers over HTTP/2", .timeLimit(.minutes(5)))
    struct AttackTests {
        let world: InteropWorld
        init() throws { self.world = try InteropWorld() }

        /// What one line of the script tells.
        private struct Outcome {
            var name: String
            var frames: Int
            var code: String
            var debug: String

            init?(_ line: String) {
                let words = line.split(separator: " ").map { String($0) }
                guard words.count >= 5, let frames = Int(words[2]) else { return nil }
                (self.name, self.frames, self.code, self.debug) = (
                    words[0], frames, words[3], words[4...].joined(separator: " ")
                )
            }
        }

        /// How each flood ends: by ENHANCE_YOUR_CALM (11), and the budget that was overdrawn.
        private static let expected: [String: String] = [
            "rapid_reset": "too_many_resets", "made_you_reset": "too_many_resets",
            "continuation_flood": "too_many_continuations", "ping_flood": "too_many_pings",
            "settings_flood": "too_many_settings", "priority_flood": "too_many_priorities",
            "window_update_flood": "too_many_window_updates", "empty_data_flood": "too_many_empty_data",
            "header_bomb": "too_many_oversized_headers", "large_headers": "too_many_oversized_headers",
            "unread_pings": "too_many_pings", "unknown_frames": "too_many_other_frames",
        ]

        @Test(
            "control 24: each flood of h2's is sent away with a GOAWAY that names it, and memory stays flat",
            .enabled(if: PythonPeer.isThere, "h2 is not installed"))
        func floods() async throws {
            try await withInteropServer(try self.world.serverConfiguration()) { _, addresses in
                let port = "\(addresses.first?.port ?? 0)"
                let root = try self.world.file(self.world.pki.root.certificate.pem, "root.pem")
                var table = "flood                frames  code  debug                        MiB before  after\n"
                for name in Self.expected.keys.sorted() {
                    let arguments = [port, root, InteropWorld.serverName, "3", name]
                    _ = try await self.world.run("h2_attacks", arguments)
                    let before = try ProcessMemory.resident(of: getpid())
                    let lines = try await self.world.run("h2_attacks", arguments)
                    let after = try ProcessMemory.resident(of: getpid())
                    guard let outcome = lines.compactMap({ Outcome($0) }).first else {
                        Issue.record("\(name): \(lines)")
                        continue
                    }
                    #expect(Self.expected[name] == outcome.debug, "\(lines)")
                    #expect(after - before < 16 << 20, "\(name): \(before) to \(after)")
                    table += Self.row(outcome, before, after)
                }
                print(table)
                // The server serves on.
                try await withInteropClient(
                    try self.world.clientConfiguration([.host("127.0.0.1", port: addresses.first?.port ?? 0)])
                ) { client in try await InteropCases(client: client).emptyUnary() }
            }
        }

        private static func row(_ outcome: Outcome, _ before: Int, _ after: Int) -> String {
            func pad(_ text: String, _ width: Int) -> String {
                text + String(repeating: " ", count: max(1, width - text.count))
            }
            return pad(outcome.name, 21) + pad("\(outcome.frames)", 8) + pad(outcome.code, 6) + pad(outcome.debug, 29)
                + pad("\(before >> 20)", 12) + "\(after >> 20)\n"
        }

        @Test(
            "control 24: responses for a client that does not read stay within their bounds",
            .enabled(if: PythonPeer.isThere, "h2 is not installed"))
        func unreadData() async throws {
            try await withInteropServer(try self.world.serverConfiguration()) { _, addresses in
                let root = try self.world.file(self.world.pki.root.certificate.pem, "root.pem")
                let arguments = ["\(addresses.first?.port ?? 0)", root, InteropWorld.serverName, "1", "unread_data"]
                let before = try ProcessMemory.resident(of: getpid())
                let (lines, peak) = try await ProcessMemory.peak(of: getpid()) {
                    try await self.world.run("h2_attacks", arguments)
                }
                // 2 GB are asked for; 20 streams hold one message of 1 MiB and a little each.
                #expect(lines.contains { $0.hasPrefix("unread_data") }, "\(lines)")
                #expect(peak - before < 128 << 20, "\(before) to \(peak)")
            }
        }

        // MARK: nghttp2's programs

        @Test("control 18: nghttp calls a method, and gets 415 for a page", .enabled(if: NGHTTP2Program.client.isThere))
        func nghttpClient() async throws {
            let body = self.world.newPath("body")
            try Data([0, 0, 0, 0, 0]).write(to: URL(filePath: body))
            try await withInteropServer(try self.world.serverConfiguration()) { _, addresses in
                let base = "https://127.0.0.1:\(addresses.first?.port ?? 0)"
                let page = try await ChildProcess.run(NGHTTP2Program.client.rawValue, ["-nv", base + "/"])
                #expect(page.contains(":status: 415"), "\(page)")
                let call = try await ChildProcess.run(
                    NGHTTP2Program.client.rawValue,
                    [
                        "-nv", "-d", body, "-H", ":method: POST", "-H", "te: trailers", "-H",
                        "content-type: application/grpc", "\(base)/\(InteropService.name)/EmptyCall",
                    ])
                #expect(call.contains(":status: 200") && call.contains("grpc-status: 0"), "\(call)")
            }
        }

        @Test("h2load makes 10,000 calls on 10 connections, and all succeed", .enabled(if: NGHTTP2Program.load.isThere))
        func h2load() async throws {
            let body = self.world.newPath("body")
            try Data([0, 0, 0, 0, 0]).write(to: URL(filePath: body))
            try await withInteropServer(try self.world.serverConfiguration()) { _, addresses in
                let output = try await ChildProcess.run(
                    NGHTTP2Program.load.rawValue,
                    [
                        "-n", "10000", "-c", "10", "-m", "50", "-d", body, "-H", "te: trailers", "-H",
                        "content-type: application/grpc",
                        "https://127.0.0.1:\(addresses.first?.port ?? 0)/\(InteropService.name)/EmptyCall",
                    ])
                #expect(output.contains("10000 succeeded, 0 failed, 0 errored, 0 timeout"), "\(output)")
                #expect(output.contains("status codes: 10000 2xx"), "\(output)")
            }
        }
    }
}

/// Debian's package nghttp2-client.
private enum NGHTTP2Program: String {
    case client = "/usr/bin/nghttp"
    case load = "/usr/bin/h2load"

    var isThere: Bool { FileManager.default.isExecutableFile(atPath: self.rawValue) }
}
