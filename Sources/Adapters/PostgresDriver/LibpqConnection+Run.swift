import CPostgres

extension LibpqConnection {
    /// How long after a cancel request the server's answer is waited for.
    static let cancelGrace: Duration = .seconds(1)

    /// What a run gave, and whether the connection can serve on.
    struct RunOutcome {
        let result: Job.Outcome
        let isReusable: Bool
    }

    /// Does one piece of work to its end, or for so long.
    func run(_ work: Job.Work, within limit: Duration) -> RunOutcome {
        self.notices.isWaitCancelled = false
        switch work {
        case .pipeline(let statements):
            var run = PipelineRun(deadline: .now + limit, endsWithSync: true)
            guard self.send(statements, &run) else {
                return self.notSent()
            }
            return self.collect(&run)
        case .script(let text):
            var run = PipelineRun(deadline: .now + limit, endsWithSync: false)
            // The handle is ours, and no command is under way; libpq copies the text.
            guard unsafe PQexitPipelineMode(self.handle) == 1, unsafe PQsendQuery(self.handle, text) == 1 else {
                return self.notSent()
            }
            let outcome = self.collect(&run)
            let entered = unsafe PQenterPipelineMode(self.handle) == 1
            return RunOutcome(result: outcome.result, isReusable: outcome.isReusable && entered)
        }
    }

    /// Queues all statements and the one Sync. `false`: the connection is unusable and nothing can have committed.
    private func send(_ statements: [Statement], _ run: inout PipelineRun) -> Bool {
        var names = self.prepared
        if self.takeStalePlans() {
            // No parameters, so there is nothing to point to; the text is copied by libpq.
            guard unsafe PQsendQueryParams(self.handle, "DISCARD PLANS", 0, nil, nil, nil, nil, 0) == 1 else {
                return false
            }
            run.expected.append(.nothing)
        }
        for statement in statements {
            let name: String
            if let known = names[statement.sql] {
                name = known
            } else {
                // The unnamed statement, "", is replaced by the next one that is prepared.
                name = names.count < Self.maximumPreparedStatements ? "s\(self.nextStatementNumber)" : ""
                self.nextStatementNumber += 1
                let types = statement.types
                // Texts and types are copied by libpq.
                guard unsafe PQsendPrepare(self.handle, name, statement.sql, Int32(types.count), types) == 1 else {
                    return false
                }
                if !name.isEmpty { names[statement.sql] = name }
                run.expected.append(.prepared(statement.sql, as: name))
            }
            guard self.send(statement.parameters, to: name) else { return false }
            run.expected.append(.rows)
        }
        return unsafe PQpipelineSync(self.handle) == 1
    }

    /// Encodes and sends the parameters of one statement.
    private func send(_ parameters: [any PostgresEncodable], to name: String) -> Bool {
        let encoded = EncodedParameters(parameters)
        let formats = [Int32](repeating: 1, count: parameters.count)
        return unsafe encoded.bytes.withUnsafeBytes { raw in
            // The pointers are used within this closure only, and libpq copies what they point to.
            let base = unsafe raw.bindMemory(to: CChar.self).baseAddress
            let values = unsafe encoded.offsets.map { offset in unsafe offset.flatMap { unsafe base?.advanced(by: $0) }
            }
            let count = Int32(parameters.count)
            return unsafe PQsendQueryPrepared(self.handle, name, count, values, encoded.lengths, formats, 1) == 1
        }
    }

    /// Flushes and reads until all answers are in, the deadline passes, or the connection breaks.
    private func collect(_ run: inout PipelineRun) -> RunOutcome {
        while true {
            let flushed = unsafe PQflush(self.handle)
            if unsafe PQisBusy(self.handle) == 1 {
                guard self.waitAndRead(wantsWrite: flushed == 1, &run) else { return self.lost(run) }
                continue
            }
            guard let result = unsafe PQgetResult(self.handle) else {
                // The end of one command's results; two in a row, or a dead connection, mean that no more will come.
                if !run.endsWithSync { return self.finished(run) }
                run.commandEnded()
                if unsafe PQstatus(self.handle) != CONNECTION_OK || run.hasRunDry { return self.lost(run) }
                continue
            }
            // The result is copied from and freed before the next call.
            let event = unsafe self.take(result, &run)
            unsafe PQclear(result)
            switch event {
            case .more: continue
            case .finished: return self.finished(run)
            case .lost: return self.lost(run)
            }
        }
    }

    /// Waits for the socket. `false`: the connection is of no use any more.
    private func waitAndRead(wantsWrite: Bool, _ run: inout PipelineRun) -> Bool {
        let left = run.deadline - .now
        if left <= .zero {
            guard !run.cancelRequested else { return false }
            run.cancelRequested = true
            run.deadline = .now + Self.cancelGrace
            self.requestCancel()
            return true
        }
        let events = Int16(POLLIN) | (wantsWrite ? Int16(POLLOUT) : 0)
        var entry = pollfd(fd: unsafe PQsocket(self.handle), events: events, revents: 0)
        // `entry` lives on the stack for the whole call.
        _ = unsafe poll(&entry, 1, pollMilliseconds(left))
        guard entry.revents & ~Int16(POLLOUT) != 0 else { return true }
        return unsafe PQconsumeInput(self.handle) == 1
    }

    /// libpq refused to queue something, before any Sync.
    private func notSent() -> RunOutcome {
        let error = PostgresError(.connectionLost, self.lastMessage)
        return RunOutcome(result: .failure(error), isReusable: false)
    }

    private func lost(_ run: PipelineRun) -> RunOutcome {
        if let error = run.error { return RunOutcome(result: .failure(error), isReusable: false) }
        let why = run.farewell ?? self.lastMessage
        let text = run.cancelRequested ? "no answer in time" : why
        return RunOutcome(result: .failure(.init(.ambiguousCommit, text)), isReusable: false)
    }

    private func finished(_ run: PipelineRun) -> RunOutcome {
        // A caller that left a transaction open must not leave it to the next one.
        let idle = unsafe PQtransactionStatus(self.handle) == PQTRANS_IDLE
        if let error = run.error {
            let isReusable = idle && !run.cancelRequested && error.leavesConnectionUsable
            return RunOutcome(result: .failure(error), isReusable: isReusable)
        }
        // A cancel that reaches a COMMIT waiting for its standby makes it succeed locally only. And it may yet hit what
        // comes next on this connection.
        if run.cancelRequested {
            return RunOutcome(result: .failure(.init(.ambiguousCommit, "answered too late")), isReusable: false)
        }
        // So does the cancel of an administrator. The server calls that a success, with a warning.
        if self.notices.isWaitCancelled {
            let text = "committed on the primary alone: somebody cancelled the wait for its standby"
            return RunOutcome(result: .failure(.init(.ambiguousCommit, text)), isReusable: idle)
        }
        return RunOutcome(result: .success(run.results), isReusable: idle)
    }
}

extension PostgresError {
    /// A server that turned read-only, and plans that no longer fit, are cured by a new connection.
    fileprivate var leavesConnectionUsable: Bool {
        self.code != .readOnlyServer && self.sqlState != "0A000" && self.sqlState != "26000"
    }
}
