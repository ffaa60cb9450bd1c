package import ControlAPI
import Foundation
package import GRPCCore
import SwiftProtobuf

/// gRPC's reflection: what this server has, for tools that know no proto files.
package struct ReflectionService: GRPCServerReflection.SimpleServiceProtocol {
    private let files: DescriptorFiles
    private let services: [String]

    package init(services: Set<String>) throws {
        self.files = try DescriptorFiles()
        self.services = services.sorted()
    }

    package func serverReflectionInfo(
        request: RPCAsyncSequence<GRPCServerReflectionRequest, any Error>,
        response: RPCWriter<GRPCServerReflectionResponse>, context: ServerContext
    ) async throws {
        for try await message in request {
            try await response.write(
                .with {
                    $0.validHost = message.host
                    $0.originalRequest = message
                    $0.messageResponse = self.answer(message)
                })
        }
    }

    private func answer(
        _ request: GRPCServerReflectionRequest
    ) -> GRPCServerReflectionResponse.OneOf_MessageResponse {
        let found: [Data]?
        switch request.messageRequest {
        case .listServices?:
            return .listServicesResponse(.with { $0.service = self.services.map { name in .with { $0.name = name } } })
        case .fileByFilename(let name)?: found = self.files.withImports(name)
        case .fileContainingSymbol(let name)?: found = self.files.declaring(name).flatMap(self.files.withImports)
        case .fileContainingExtension?, .allExtensionNumbersOfType?, nil: found = nil
        }
        guard let found else {
            return .errorResponse(
                .with {
                    $0.errorCode = Int32(Status.Code.notFound.rawValue)
                    $0.errorMessage = "there is nothing of that name"
                })
        }
        return .fileDescriptorResponse(.with { $0.fileDescriptorProto = found })
    }
}

/// The files of proto/ with what they import, and where each symbol is.
private struct DescriptorFiles: Sendable {
    private var files: [String: (content: Data, imports: [String])] = [:]
    private var symbols: [String: String] = [:]

    init() throws {
        guard let bytes = Data(base64Encoded: controlFileDescriptors) else {
            throw ControlPlaneError("the descriptors of this program are no base64")
        }
        for file in try Google_Protobuf_FileDescriptorSet(serializedBytes: bytes).file {
            self.files[file.name] = (try file.serializedBytes(), file.dependency)
            for name in Self.symbols(of: file) { self.symbols[name] = file.name }
        }
    }

    func declaring(_ symbol: String) -> String? { self.symbols[symbol] }

    /// The file and what it imports, each once.
    func withImports(_ name: String) -> [Data]? {
        guard self.files[name] != nil else { return nil }
        var waiting = [name]
        var seen: Set<String> = []
        var found: [Data] = []
        while let next = waiting.popLast() {
            guard seen.insert(next).inserted, let file = self.files[next] else { continue }
            found.append(file.content)
            waiting += file.imports
        }
        return found
    }

    private static func symbols(of file: Google_Protobuf_FileDescriptorProto) -> [String] {
        let prefix = file.package.isEmpty ? "" : "\(file.package)."
        return file.messageType.flatMap { self.symbols(of: $0, prefix) } + file.enumType.map { prefix + $0.name }
            + file.service.flatMap { service in
                [prefix + service.name] + service.method.map { "\(prefix)\(service.name).\($0.name)" }
            }
    }

    private static func symbols(of message: Google_Protobuf_DescriptorProto, _ prefix: String) -> [String] {
        let name = prefix + message.name
        return [name] + message.field.map { "\(name).\($0.name)" } + message.enumType.map { "\(name).\($0.name)" }
            + message.nestedType.flatMap { self.symbols(of: $0, "\(name).") }
    }
}
