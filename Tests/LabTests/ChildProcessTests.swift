import Foundation
import LabSupport
import Testing

/// What a program of the lab is started with, and what is known of its end.
@Suite(.timeLimit(.minutes(2)))
struct ChildProcessTests {
    /// Runs a shell's script to its end: its status and what it printed.
    private func shell(
        _ script: String, environment: [String: String] = [:], in folder: URL? = nil
    ) async throws -> (status: Int32?, output: String) {
        try await withTemporaryFolder { files in
            let child = try await ChildProcess(
                "/bin/sh", ["-c", script], environment: environment, workingDirectory: folder,
                log: files.appending(path: "output"))
            #expect(await child.ended(within: .seconds(60)))
            return (child.terminationStatus, child.lastOutput())
        }
    }

    @Test("A child has its three descriptors and no other, however many this process has")
    func descriptors() async throws {
        // A copy by dup(2) is inherited unless somebody closes it; `ls` opens the folder as the lowest that is free.
        let held = (0..<300).map { _ in dup(STDERR_FILENO) }
        defer { for descriptor in held { close(descriptor) } }
        #expect(held.allSatisfy { $0 > STDERR_FILENO })
        #expect(try await self.shell("exec ls /proc/self/fd").output == "0\n1\n2\n3\n")
    }

    @Test("No signal is blocked or ignored in a child, whatever this process ignores")
    func signals() async throws {
        _ = Foundation.signal(SIGPIPE, SIG_IGN)
        let output = try await self.shell("exec grep -E '^Sig(Blk|Ign)' /proc/self/status").output
        let sets = output.split(separator: "\n").compactMap { UInt64($0.suffix(16), radix: 16) }
        // 32 and 33 are glibc's own, and posix_spawn(3) lets them be ignored.
        #expect(sets.count == 2 && sets.allSatisfy { $0 & 0x7FFF_FFFF == 0 }, "\(output)")
    }

    @Test("Standard output and error follow each other in the log, and the input is empty")
    func streams() async throws {
        let (status, output) = try await self.shell("echo a; echo b >&2; cat; echo c")
        #expect(status == 0)
        #expect(output == "a\nb\nc\n")
    }

    @Test("A child works in its folder, and its environment is this process's and what was added")
    func surroundings() async throws {
        try await withTemporaryFolder { folder in
            let output = try await self.shell(
                "pwd -P; echo $LAB_WORD; echo $PATH", environment: ["LAB_WORD": "a = b"], in: folder
            ).output
            let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
            #expect(output == "\(folder.resolvingSymlinksInPath().path)\na = b\n\(path)\n")
        }
    }

    @Test("The status says how a child ended")
    func statuses() async throws {
        #expect(try await self.shell("exit 0").status == 0)
        #expect(try await self.shell("exit 78").status == 78)
        #expect(try await self.shell("exit 255").status == 255)
        #expect(try await self.shell("kill -SYS $$").status == 128 + SIGSYS)
    }

    @Test("A child runs on when the task that started it has ended, until it is sent a signal")
    func signalled() async throws {
        try await withTemporaryFolder { folder in
            let child = try await Task {
                try await ChildProcess(
                    "/bin/sh", ["-c", "trap 'echo hup' HUP; echo ready; while :; do sleep 0.01; done"],
                    log: folder.appending(path: "output"))
            }.value
            try await child.ready(within: .seconds(60), "the shell") { child.lastOutput() == "ready\n" }
            #expect(child.terminationStatus == nil)
            child.signal(SIGHUP)
            try await child.ready(within: .seconds(60), "the shell") { child.lastOutput() == "ready\nhup\n" }
            await child.stop(patience: .seconds(60))
            #expect(child.terminationStatus == 128 + SIGTERM)
            // Nobody is sent this.
            child.signal(SIGKILL)
            #expect(child.terminationStatus == 128 + SIGTERM)
        }
    }

    @Test("Children that are started at the same time have each their own end")
    func many() async throws {
        try await withThrowingTaskGroup(of: (Int32, Int32?).self) { group in
            for number in Int32(0)..<40 {
                group.addTask { (number, try await self.shell("exit \(number)").status) }
            }
            for try await (number, status) in group { #expect(status == number) }
        }
    }

    @Test("A log is a new file, though the child of before still writes to its own")
    func logs() async throws {
        try await withTemporaryFolder { folder in
            let log = folder.appending(path: "output")
            let first = try await ChildProcess(
                "/bin/sh", ["-c", "while :; do echo first; sleep 0.01; done"], log: log)
            try await first.ready(within: .seconds(60), "the shell") { !first.lastOutput().isEmpty }
            let second = try await ChildProcess("/bin/echo", ["second"], log: log)
            #expect(await second.ended(within: .seconds(60)))
            #expect(second.lastOutput() == "second\n")
            await first.stop(patience: .seconds(60))
        }
    }

    @Test("What cannot be started says why")
    func failures() async throws {
        try await withTemporaryFolder { folder in
            func failure(_ executable: String, in directory: String? = nil, log: String = "output") async -> String? {
                let error = await #expect(throws: ChildProcess.Failure.self) {
                    try await ChildProcess(
                        executable, [], workingDirectory: directory.map { URL(filePath: $0) },
                        log: folder.appending(path: log))
                }
                return error?.description
            }
            #expect(await failure("no-such-program") == "no-such-program is not installed")
            #expect(await failure("true", in: "/nonexistent") == "cannot start true: No such file or directory")
            let log = folder.appending(path: "none/output").path
            #expect(await failure("true", log: "none/output") == "cannot write \(log): No such file or directory")
        }
    }
}
