import CPostgres

/// The progress of one job on one connection.
struct PipelineRun {
    /// What a command that was sent will answer.
    enum Expected {
        case prepared(String, as: String)
        case rows
        /// Nothing that the caller asked for.
        case nothing
    }

    enum Event {
        case more
        case finished
        case lost
    }

    var deadline: ContinuousClock.Instant
    /// A pipeline ends with the answer to its Sync, a script with no more results.
    let endsWithSync: Bool
    var expected: [Expected] = []
    var results: [QueryResult] = []
    /// The first error that the server reported and that rolled the transaction back.
    var error: PostgresError?
    /// What the server said when it ended the session. It does not say whether the commit had been done.
    var farewell: String?
    var cancelRequested = false
    private var position = 0
    private var emptyAnswers = 0

    init(deadline: ContinuousClock.Instant, endsWithSync: Bool) {
        self.deadline = deadline
        self.endsWithSync = endsWithSync
    }

    /// The command whose results are being read.
    var current: Expected? { self.position < self.expected.count ? self.expected[self.position] : nil }

    /// More ends of results than there are commands: libpq has nothing left to say.
    var hasRunDry: Bool { self.emptyAnswers > 2 }

    mutating func answered() { self.emptyAnswers = 0 }

    mutating func commandEnded() {
        self.position += 1
        self.emptyAnswers += 1
    }
}

extension LibpqConnection {
    /// Reads one result. It is freed by the caller.
    func take(_ result: OpaquePointer, _ run: inout PipelineRun) -> PipelineRun.Event {
        run.answered()
        // The result is valid until the caller frees it, after this function.
        switch unsafe PQresultStatus(result) {
        case PGRES_PIPELINE_SYNC:
            return .finished
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY:
            switch run.current {
            case .prepared(let sql, let name): if !name.isEmpty { self.prepared[sql] = name }
            case .nothing: ()
            case .rows, nil: run.results.append(unsafe QueryResult(copying: result))
            }
            return .more
        case PGRES_PIPELINE_ABORTED, PGRES_NONFATAL_ERROR:
            return .more
        case PGRES_FATAL_ERROR:
            return unsafe self.takeError(result, &run)
        default:
            // COPY and the like are never asked for.
            return .lost
        }
    }

    private func takeError(_ result: OpaquePointer, _ run: inout PipelineRun) -> PipelineRun.Event {
        // libpq owns these texts as long as the result; they are copied at once.
        let state = unsafe relay_result_sqlstate(result).map { unsafe String(cString: $0) }
        let severity = unsafe relay_result_severity(result).map { unsafe String(cString: $0) }
        let message = unsafe PQresultErrorMessage(result).map { unsafe String(cString: $0) } ?? ""
        let line = message.split(whereSeparator: \.isNewline).joined(separator: "; ")
        guard let state, severity == "ERROR" else {
            run.farewell = line
            return .lost
        }
        let detail = unsafe relay_result_detail(result).map { unsafe String(cString: $0) }
        if run.error == nil { run.error = PostgresError(sqlState: state, message: line, detail: detail) }
        return .more
    }
}

extension QueryResult {
    /// Copies all cells, so that nothing points into libpq's memory afterwards.
    init(copying result: OpaquePointer) {
        // All calls read the result, which the caller frees later; rows and columns are within its own bounds.
        let rowCount = unsafe PQntuples(result)
        let columnCount = unsafe PQnfields(result)
        let types = (0..<columnCount).map { PostgresType(rawValue: unsafe PQftype(result, $0)) }
        var cells: [Cell] = []
        var storage: [UInt8] = []
        cells.reserveCapacity(Int(rowCount * columnCount))
        for row in 0..<rowCount {
            for column in 0..<columnCount {
                guard unsafe PQgetisnull(result, row, column) == 0,
                    let value = unsafe PQgetvalue(result, row, column)
                else {
                    cells.append(nil)
                    continue
                }
                let length = Int(unsafe PQgetlength(result, row, column))
                let start = storage.count
                unsafe storage.append(contentsOf: UnsafeRawBufferPointer(start: value, count: length))
                cells.append(start..<storage.count)
            }
        }
        let affected = unsafe PQcmdTuples(result).flatMap { unsafe Int(String(cString: $0)) }
        self.init(
            types: types, cells: cells, storage: storage, affectedRows: affected ?? 0,
            count: Int(rowCount))
    }
}
