import GRPCCore

/// A request as its header section describes it, checked (control 18).
struct RequestHead: Hashable, Sendable {
    var method: MethodDescriptor
    var metadata: Metadata
    /// How long the client gives the call, counted from when the request came.
    var timeout: Duration?
}

extension RequestHead {
    /// What a server does with a request's header section.
    enum Verdict: Hashable {
        case accepted(RequestHead)
        /// Answer with this section and end the stream.
        case rejected(HeaderList)
    }

    static func judge(_ list: HeaderList) -> Verdict {
        guard ContentType.isGRPC(list.first("content-type")) else { return .rejected([":status": "415"]) }
        guard list.first(":method") == "POST" else { return .rejected([":status": "405", "allow": "POST"]) }
        guard list.values("te").contains("trailers") else {
            return Self.reject(.invalidArgument, "te: trailers is needed")
        }
        if let encoding = list.first("grpc-encoding"), encoding != "identity" {
            var response = ResponseHead.trailersOnly(
                Status(code: .unimplemented, message: "messages are taken as they are, without compression"), [:])
            response.append("grpc-accept-encoding", "identity")
            return .rejected(response)
        }
        guard let method = list.first(":path").flatMap(Self.method(path:)) else {
            return Self.reject(.unimplemented, "the path names no method")
        }
        guard let metadata = MetadataFields.read(list) else {
            return Self.reject(.internalError, "a value of binary metadata is not base64")
        }
        var timeout: Duration?
        if let value = list.first(GRPCTimeout.key) {
            guard let parsed = GRPCTimeout.parse(value) else {
                return Self.reject(.internalError, "grpc-timeout is malformed")
            }
            timeout = parsed
        }
        return .accepted(RequestHead(method: method, metadata: metadata, timeout: timeout))
    }

    /// The answer to a header section beyond the limit.
    static var oversized: HeaderList {
        ResponseHead.trailersOnly(Status(code: .resourceExhausted, message: "the header list is too large"), [:])
    }

    private static func reject(_ code: Status.Code, _ message: String) -> Verdict {
        .rejected(ResponseHead.trailersOnly(Status(code: code, message: message), [:]))
    }

    /// The method in a path of the form `/SERVICE/METHOD`.
    private static func method(path: String) -> MethodDescriptor? {
        guard path.first == "/", let slash = path.lastIndex(of: "/"), slash > path.startIndex else { return nil }
        let service = path[path.index(after: path.startIndex)..<slash]
        let method = path[path.index(after: slash)...]
        guard !service.isEmpty, !method.isEmpty else { return nil }
        return MethodDescriptor(fullyQualifiedService: String(service), method: String(method))
    }
}

/// The media type of gRPC.
enum ContentType {
    static let value = "application/grpc"

    /// Whether it is gRPC with whatever encoding of messages, such as `application/grpc+proto`.
    static func isGRPC(_ value: String?) -> Bool {
        guard let value = value?.lowercased(), value.hasPrefix(Self.value) else { return false }
        return value.count == Self.value.count || "+;".contains(value.dropFirst(Self.value.count).first ?? " ")
    }
}

extension RequestHead {
    /// The header section that calls a method.
    ///
    /// - Throws: `RPCError` (`internalError`) where metadata has a name or value that cannot be sent.
    static func fields(
        _ method: MethodDescriptor, _ metadata: Metadata, scheme: String, authority: String, timeout: Duration?
    ) throws(RPCError) -> HeaderList {
        var list: HeaderList = [
            ":method": "POST", ":scheme": scheme, ":path": "/\(method.fullyQualifiedMethod)",
            ":authority": authority, "te": "trailers", "content-type": ContentType.value,
        ]
        var metadata = metadata
        if let timeout {
            metadata.replaceOrAddString(GRPCTimeout.format(timeout), forKey: GRPCTimeout.key)
        }
        if metadata[stringValues: "user-agent"].first(where: { _ in true }) == nil {
            list.append("user-agent", "grpc-swift-nghttp2")
        }
        if let name = MetadataFields.write(metadata, to: &list) {
            throw RPCError(code: .internalError, message: "metadata \(name.debugDescription) cannot be sent")
        }
        return list
    }
}
