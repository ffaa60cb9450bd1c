import Cryptography
import Foundation
import LabDNS
import LabPeers
import LabRelay
import LabSupport

/// Debian's Postfix in the relay's role: takes mail with STARTTLS on loopback, and relays it by DANE to the lab's hosts.
struct PostfixRival: Sendable {
    let postfix: PostfixInstance
    let resolver: UnboundServer

    /// Starts one on the disk of the lab's database, lets `body` use it, and ends it whatever happens.
    static func with<Value: Sendable>(
        _ lab: LabRelay, parameters: [(String, String)], _ body: (PostfixRival) async throws -> Value
    ) async throws -> Value {
        let folder = lab.folder.url.appending(path: "postfix")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let resolver = try await UnboundServer.start(
            in: folder, rootServer: (lab.internet.address, lab.internet.port),
            trustAnchorFile: lab.internet.trustAnchorFile)
        let result: Result<Value, any Error>
        do {
            let configuration = try Self.configuration(lab, resolver, folder, parameters)
            let postfix = try await PostfixInstance.start(configuration, in: folder)
            do {
                result = .success(try await body(PostfixRival(postfix: postfix, resolver: resolver)))
            } catch {
                result = .failure(error)
            }
            await postfix.stop()
        } catch {
            result = .failure(error)
        }
        await resolver.stop()
        return try result.get()
    }

    private static func configuration(
        _ lab: LabRelay, _ resolver: UnboundServer, _ folder: URL, _ parameters: [(String, String)]
    ) throws -> PostfixConfiguration {
        let leaf = try lab.pki.leaf("postfix.test")
        let chain = folder.appending(path: "chain.pem")
        let key = folder.appending(path: "key.pem")
        try leaf.chainPEM.write(to: chain, atomically: true, encoding: .utf8)
        try leaf.key.pem.write(to: key, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key.path)
        var configuration = PostfixConfiguration.sendingClient(
            "postfix.test", resolverAddress: resolver.address, tls: .dane)
        configuration.identity = .init(chainFile: chain, keyFile: key)
        configuration.destinationPort = lab.deliveryPort
        let chosen = [
            ("default_process_limit", "100"),
            // Without it each message has a handshake of its own, which the relay's have not.
            ("smtp_tls_connection_reuse", "yes"),
            // Intake is not slowed down in favour of delivery.
            ("in_flow_delay", "0s"),
        ]
        configuration.parameters = (chosen + parameters).map { (name: $0.0, value: $0.1) }
        return configuration
    }
}
