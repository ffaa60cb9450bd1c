import Foundation
import LabRelay
import LabSupport

/// The stages, one after the other.
struct ControlMeasurement: Sendable {
    /// Of rest, in which reports and the look at the database go on.
    private static let rest = Duration.seconds(30)

    let world: ControlWorld
    let load: ControlLoad

    func run() async throws -> ControlReport {
        let process = self.world.first.process
        try await process.start()
        let token = try await self.world.fill()
        var report = ControlReport(load: self.load)
        let before = try ProcessMemory.resident(of: try self.identifier(process))
        report.stages.append(
            try await self.stage("no nodes", process) {
                try await Task.sleep(for: Self.rest)
                return .init()
            })
        let fleet = try ControlFleet(
            self.load.nodes, addresses: self.world.addresses, token: token,
            folder: self.world.cluster.folder.url.appending(path: "nodes"))
        let start = ContinuousClock.now
        return try await fleet.run {
            report.stages.append(
                try await self.stage("enrolment", process) {
                    // The state with all domains is at least so old.
                    await fleet.applied(1, since: start)
                })
            report.stages.append(try await self.stage("change", process) { try await self.change(fleet) })
            report.stages.append(
                try await self.stage("rest", process) {
                    try await Task.sleep(for: Self.rest)
                    return .init()
                })
            let after = try ProcessMemory.resident(of: try self.identifier(process))
            report.bytesPerNode = max(0, after - before) / self.load.nodes
            report.stages.append(try await self.restart(fleet))
            report.stages.append(try await self.takeOver(fleet))
            return report
        }
    }

    private func change(_ fleet: ControlFleet) async throws -> ControlFleet.Times {
        var all = ControlFleet.Times()
        for number in 0..<self.load.changes {
            let start = ContinuousClock.now
            let times = await fleet.applied(try await self.world.change(number), since: start)
            all.durations += times.durations
            all.missing += times.missing
        }
        return all
    }

    /// The only replica is killed, and starts again at its place.
    private func restart(_ fleet: ControlFleet) async throws -> ControlStage {
        let process = self.world.first.process
        await process.kill()
        try await fleet.lost()
        try await Task.sleep(for: .seconds(self.load.down))
        let start = ContinuousClock.now
        try await process.launch()
        return try await self.stage("restart", process) { await fleet.following(since: start) }
    }

    /// Another replica is there when the one that all nodes follow is killed.
    private func takeOver(_ fleet: ControlFleet) async throws -> ControlStage {
        try await self.world.second.process.start()
        let start = ContinuousClock.now
        await self.world.first.process.kill()
        return try await self.stage("take-over", self.world.second.process) { await fleet.following(since: start) }
    }

    /// Measures a stage, and what a controller uses in it.
    private func stage(
        _ name: String, _ controller: RelaydProcess, _ body: () async throws -> ControlFleet.Times
    ) async throws -> ControlStage {
        Terminal.tell(name)
        let process = try self.identifier(controller)
        let (used, start) = (try ProcessTree.processorTime(of: process), ContinuousClock.now)
        let (times, peak) = try await ProcessMemory.peak(of: process, during: body)
        return ControlStage(
            name, times, elapsed: ContinuousClock.now - start,
            processor: try ProcessTree.processorTime(of: process) - used,
            memory: try ProcessMemory.resident(of: process), peak: peak)
    }

    private func identifier(_ process: RelaydProcess) throws -> Int32 {
        guard let identifier = process.processIdentifier else { throw LabFailure("the controller does not run") }
        return identifier
    }
}
