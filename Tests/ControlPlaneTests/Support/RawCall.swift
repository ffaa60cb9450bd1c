import ControlAPI
import ControlPlane
import Foundation
import GRPCCore
import SwiftProtobuf
import Testing

/// Messages as bytes, for calls of methods whose types do not matter.
struct RawBytes: MessageSerializer, MessageDeserializer {
    func serialize<Bytes: GRPCContiguousBytes>(_ message: [UInt8]) throws -> Bytes { Bytes(message) }

    func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> [UInt8] {
        bytes.withUnsafeBytes { Array($0) }
    }
}

extension TestReplica.Client {
    /// Calls a method with one empty message; the status with which its answer begins.
    func knock(_ method: MethodDescriptor) async throws -> (code: Status.Code, message: String) {
        try await status {
            try await self.bidirectionalStreaming(
                request: StreamingClientRequest { writer in try await writer.write([]) }, descriptor: method,
                serializer: RawBytes(), deserializer: RawBytes(), options: .defaults
            ) { response in
                for try await _ in response.messages { return }
            }
        }
    }
}

/// Every method that proto/ describes.
func describedMethods() throws -> Set<String> {
    let bytes = try #require(Data(base64Encoded: controlFileDescriptors))
    let files = try Google_Protobuf_FileDescriptorSet(serializedBytes: bytes).file
    return Set(
        files.flatMap { file in
            file.service.flatMap { service in
                service.method.map { "\(file.package).\(service.name)/\($0.name)" }
            }
        })
}
