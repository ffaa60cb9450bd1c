/// One delivery after the other over one connection; while the outcome of one is being recorded, the next is sent.
final class SimulatedWorker {
    private var isRecording = false
    private var waiting: (() -> Void)?

    func recordingBegan() { self.isRecording = true }

    func recordingEnded() {
        self.isRecording = false
        let next = self.waiting.take()
        next?()
    }

    /// Goes on when the last outcome is on record, or cannot be recorded by us.
    func whenRecorded(_ then: @escaping () -> Void) {
        if self.isRecording { self.waiting = then } else { then() }
    }
}
