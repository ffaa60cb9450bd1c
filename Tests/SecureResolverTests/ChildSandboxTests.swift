import DNSModel
import Foundation
import LabSupport
import TestLiterals
import Testing

@testable import SecureResolver

@Suite("The lock of a resolver's process", WithLabInternet(), .timeLimit(.minutes(2)))
struct ChildSandboxTests {
    @Test(
        "Whoever breaks into a resolver opens, starts and traces nothing, and gets no more than it may use (field 0)",
        .disabled(if: ChildSandbox.isSanitized, "a sanitized process is not locked in"),
        arguments: LockTrial.allCases)
    func trial(_ trial: LockTrial) async throws {
        let log = FileManager.default.temporaryDirectory.appending(path: "lock-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: log) }
        let process = try await ChildProcess(
            BuiltProgram.named("relayd").path, ["resolver-lock", trial.rawValue], log: log)
        #expect(await process.ended(within: .seconds(60)))
        let status = process.terminationStatus
        switch trial {
        // What the C library tries by itself is refused, and so is what is over a limit; all else is an attack.
        case .open, .write, .memory, .descriptors: #expect(status == 1, "\(process.lastOutput())")
        case .fork, .exec, .trace, .unixSocket, .thread, .code:
            #expect(status == 128 + SIGSYS, "\(process.lastOutput())")
        }
    }

    @Test(
        "A resolver at work is locked in on all its threads, and holds nothing of the node's (field 0, D8a)",
        .disabled(if: ChildSandbox.isSanitized, "a sanitized process is not locked in"))
    func atWork() async throws {
        let resolver = try await LabInternet.resolver()
        #expect(await resolver.answer(to: .init("alpha.test", .mx)) != .failed(.timeout))
        let process = try #require(resolver.children.first)
        let threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task")
        #expect(threads.count >= 2, "libunbound has a thread of its own")
        for thread in threads {
            let status = try String(contentsOfFile: "/proc/\(process)/task/\(thread)/status", encoding: .utf8)
            #expect(status.contains("Seccomp:\t2"), "\(status)")
            #expect(status.contains("NoNewPrivs:\t1"))
            #expect(status.contains("CapEff:\t0000000000000000"))
            if geteuid() == 0 { #expect(status.contains("Uid:\t65534\t65534\t65534\t65534")) }
        }
        let limits = try String(contentsOfFile: "/proc/\(process)/limits", encoding: .utf8)
        for (name, value) in [("Max core file size", "0"), ("Max file size", "0"), ("Max processes", "0")] {
            #expect(
                limits.split(separator: "\n").contains {
                    $0.hasPrefix(name) && $0.dropFirst(name.count).split(separator: " ").first == value[...]
                }, "\(name): \(limits)")
        }
        let kinds = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd").map {
            try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/fd/\($0)")
        }
        #expect(
            kinds.allSatisfy { kind in
                ["socket:", "pipe:", "anon_inode:", "/dev/null"].contains { kind.hasPrefix($0) }
            }, "\(kinds)")
        let environment = try String(contentsOfFile: "/proc/\(process)/environ", encoding: .utf8)
        #expect(environment.split(separator: "\0").allSatisfy { $0.hasPrefix("LD_") }, "\(environment)")
        await resolver.shutdown()
        #expect(!FileManager.default.fileExists(atPath: "/proc/\(process)"), "it ends with its resolver")
    }

    @Test("A resolver whose program is not there does not start, and says so (field 0)")
    func noProgram() async throws {
        await #expect(throws: SecureResolverError.self) {
            try await LabInternet.resolver { $0.executable = "/nonexistent/relayd" }
        }
        // A program that is no resolver ends at once.
        await #expect(throws: SecureResolverError.self) {
            try await LabInternet.resolver { ($0.executable, $0.arguments) = ("/bin/true", []) }
        }
    }

    /// Runs a program below a filter that refuses seccomp(2), as some container engines do.
    private static let withoutSeccomp = """
        import ctypes, os, sys
        library = ctypes.CDLL("libseccomp.so.2")
        library.seccomp_init.restype = ctypes.c_void_p
        allow, refuse = 0x7FFF0000, 0x00050001
        rules = ctypes.c_void_p(library.seccomp_init(allow))
        library.seccomp_rule_add(rules, refuse, library.seccomp_syscall_resolve_name(b"seccomp"), 0)
        if library.seccomp_load(rules) != 0: sys.exit("no filter")
        os.execv(sys.argv[1], sys.argv[1:])
        """

    @Test(
        "Where seccomp is refused no resolver starts, and says why; without the lock one does (field 0)",
        .disabled(if: ChildSandbox.isSanitized, "a sanitized process is not locked in"), arguments: [true, false])
    func seccompRefused(_ isLockedIn: Bool) async throws {
        let program = try BuiltProgram.named("relayd").path
        func start() async throws -> SecureResolver {
            try await LabInternet.resolver { settings in
                settings.executable = "/usr/bin/python3"
                settings.arguments = ["-c", Self.withoutSeccomp, program, "resolver"]
                settings.isLockedIn = isLockedIn
            }
        }
        guard isLockedIn else {
            let resolver = try await start()
            #expect(await resolver.selfTest() == .validating)
            return await resolver.shutdown()
        }
        let error = await #expect(throws: SecureResolverError.self) { _ = try await start() }
        let text = "\(try #require(error))"
        #expect(text.contains("the resolver cannot be locked in: seccomp"), "\(text)")
    }
}
