import ArgumentParser
import Foundation
import LabDatabase
import LabRelay
import LabSupport

/// Runs the story once, and then lets the user talk to the relay until Ctrl-C.
struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the relay at work on a private Internet: mail sent with DANE verified, and held back.",
        discussion: """
            Starts a private PostgreSQL, DNSSEC-signed name servers, receiving mail servers and a relay, all on \
            loopback addresses and with their files in one temporary folder, and sends mail through them. Each line \
            printed was read from the relay's trace or from what the receiving servers saw.
            """)

    /// Port 25 takes root; this is what submission servers use where they may not.
    private static let usualPort: UInt16 = 2525

    @Flag(name: .long, help: "End after the story, with 0 if all went as it must and 1 if not.")
    var exit = false

    @Option(name: .long, help: ArgumentHelp("Keep all files in this folder, new or empty.", valueName: "dir"))
    var keep: String?

    @Option(name: .long, help: "Port on which the relay takes mail; 2525 if that is free, else another.")
    var port: UInt16?

    func run() async throws {
        let printer = DemoPrinter.forStandardOutput()
        if let missing = DemoRequirements.missing() {
            Self.complain(missing)
            throw ExitCode.unavailable
        }
        let isGood = try await Interruption.whileWatching { interruption in
            do {
                return try await self.show(printer, interruption)
            } catch let code as ExitCode {
                throw code
            } catch {
                printer.failed("the demo could not go on", "\(error)".split(separator: "\n").map { String($0) })
                return false
            }
        }
        if !isGood { throw ExitCode.failure }
    }

    /// Sets everything up, tells the story and waits, if wanted; whether all went as it must.
    private func show(_ printer: DemoPrinter, _ interruption: Interruption) async throws -> Bool {
        if let port, !Ports.isFree(port) {
            throw LabFailure("port \(port) cannot be used: it is taken, or it is below 1024 and takes root")
        }
        let folder = try self.keep.map { try LabFolder.kept($0) } ?? LabFolder.temporary()
        var options = LabRelayOptions()
        options.durability = .durable
        options.folder = folder
        options.smtpPort = self.port ?? (Ports.isFree(Self.usualPort) ? Self.usualPort : nil)
        options.followsController = true
        options.progress = { printer.show($0) }
        printer.title("A private Internet on loopback: nothing leaves this machine.")
        interruption.remove(folder)
        return try await LabRelay.with(DemoStory.domains, options) { lab in
            var story = DemoStory(lab: lab, printer: printer)
            guard try await story.tell(until: { interruption.isRequested }) else { throw ExitCode.interrupted }
            if !self.exit, !interruption.isRequested {
                DemoFarewell(lab: lab).print(printer)
                await interruption.wait()
            }
            return story.isGood
        }
    }

    private static func complain(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data("\(text)\n".utf8))
    }
}
