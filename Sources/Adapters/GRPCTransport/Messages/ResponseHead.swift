import GRPCCore

/// The header and trailer sections of responses.
enum ResponseHead {
    /// What a client reads in a section that ends the response.
    struct End: Hashable {
        var status: Status
        var metadata: Metadata
    }

    /// What a client reads in the first section of a response.
    enum Verdict: Hashable {
        /// An interim response (1xx) counts for nothing.
        case interim
        /// The response has begun.
        case begun(Metadata)
        /// It is over: only trailers, or no response of gRPC's.
        case ended(End)
    }

    // MARK: Reading

    static func judge(_ list: HeaderList, endStream: Bool) -> Verdict {
        let code = list.first(":status").flatMap { Int($0) } ?? 0
        if 100...199 ~= code { return .interim }
        if endStream { return .ended(Self.end(list, httpStatus: code)) }
        guard code == 200 else {
            return .ended(End(status: Status(httpStatus: code, "HTTP status \(code)"), metadata: [:]))
        }
        guard ContentType.isGRPC(list.first("content-type")) else {
            return .ended(End(status: Status(code: .unknown, message: "the response is not of gRPC"), metadata: [:]))
        }
        if let encoding = list.first("grpc-encoding"), encoding != "identity" {
            let status = Status(code: .internalError, message: "the response is compressed, which was not asked for")
            return .ended(End(status: status, metadata: [:]))
        }
        guard let metadata = MetadataFields.read(list) else { return .ended(Self.badMetadata) }
        return .begun(metadata)
    }

    /// The end that a trailer section, or a response of trailers only, tells.
    static func end(_ list: HeaderList, httpStatus: Int = 200) -> End {
        guard let code = list.first("grpc-status") else {
            return End(
                status: Status(httpStatus: httpStatus, "no grpc-status, HTTP status \(httpStatus)"), metadata: [:])
        }
        guard let metadata = MetadataFields.read(list) else { return Self.badMetadata }
        // A code from the future is UNKNOWN.
        let known = Int(code).flatMap { Status.Code(rawValue: $0) } ?? .unknown
        let message = list.first("grpc-message").map(StatusMessage.decode) ?? ""
        return End(status: Status(code: known, message: message), metadata: metadata)
    }

    private static var badMetadata: End {
        End(
            status: Status(code: .internalError, message: "a value of binary metadata is not base64"), metadata: [:])
    }

    // MARK: Writing

    /// The section that begins a response, or the name in the metadata that cannot be sent.
    static func headers(_ metadata: Metadata) throws(RPCError) -> HeaderList {
        var list: HeaderList = [":status": "200", "content-type": ContentType.value]
        if let name = MetadataFields.write(metadata, to: &list) {
            throw RPCError(code: .internalError, message: "metadata \(name.debugDescription) cannot be sent")
        }
        return list
    }

    /// The section that ends a response which has begun. Metadata that cannot be sent is left out.
    static func trailers(_ status: Status, _ metadata: Metadata) -> HeaderList {
        Self.ending([], status, metadata)
    }

    /// The one section of a response that is nothing but a status.
    static func trailersOnly(_ status: Status, _ metadata: Metadata) -> HeaderList {
        Self.ending([":status": "200", "content-type": ContentType.value], status, metadata)
    }

    private static func ending(_ start: HeaderList, _ status: Status, _ metadata: Metadata) -> HeaderList {
        var list = start
        list.append("grpc-status", "\(status.code.rawValue)")
        if !status.message.isEmpty { list.append("grpc-message", StatusMessage.encode(status.message)) }
        for (key, value) in metadata {
            var single = Metadata()
            single.add(contentsOf: [(key: key, value: value)])
            var extended = list
            if MetadataFields.write(single, to: &extended) == nil { list = extended }
        }
        return list
    }
}

extension HeaderList: ExpressibleByArrayLiteral {
    package init(arrayLiteral elements: HeaderField...) { self.init(elements) }
}
