import ClusterModel
package import ControlAPI
import ControlStore
import Cryptography
package import GRPCCore
import SwiftProtobuf

/// Users that may relay after AUTH. The hashes of their passwords are secrets: they go to nodes, and into no answer.
package struct UserService: ControlUserService.SimpleServiceProtocol {
    static let maximumNameBytes = 255
    /// The most users of a cluster.
    static let maximumUsers = 100_000

    private let writer: StateWriter
    private let messages: ResourceMessages

    package init(writer: StateWriter, keys: KeyRing) {
        self.writer = writer
        self.messages = ResourceMessages(keys: keys)
    }

    package func listUsers(
        request: ControlListUsersRequest, context: ServerContext
    ) async throws -> ControlListUsersResponse {
        let page = try PageRequest(size: request.pageSize, token: request.pageToken)
        let found = try await self.writer.current().resources(of: .user, after: page.after, limit: page.size + 1)
        return .with {
            $0.users = found.prefix(page.size).map(Self.versioned)
            if found.count > page.size { $0.nextPageToken = found[page.size - 1].key.name }
        }
    }

    package func setUser(request: ControlSetUserRequest, context: ServerContext) async throws -> ControlSetUserResponse
    {
        let change = try ChangeRequest(request.context)
        let key = try Self.key(request.name)
        guard let hash = PasswordHash(request.passwordHash) else {
            // The text is never shown: it may be a password.
            throw RPCError.invalid("password_hash", "not a hash as `relayd auth hash` makes it")
        }
        let before = try await self.writer.current()
        guard before[key] != nil || before.count(of: .user) < Self.maximumUsers else {
            throw RPCError(
                code: .failedPrecondition, message: "a cluster has at most \(Self.maximumUsers) users")
        }
        let user = ControlUser.with { $0.name = request.name }
        let write = ResourceWrite(
            key: key, content: try user.stored, secret: try self.messages.seal(Array(hash.description.utf8), of: key),
            base: request.hasBaseVersion ? request.baseVersion : nil)
        let row = change.change(
            "user.set", "user/\(request.name)", before: before[key] == nil ? nil : user, after: user)
        let state = try await self.writer.write(.user, [write], [row])
        return .with {
            $0.stateVersion = state.version
            $0.user = state[key].map(Self.versioned) ?? .with { $0.name = request.name }
        }
    }

    package func removeUser(
        request: ControlRemoveUserRequest, context: ServerContext
    ) async throws -> ControlRemoveUserResponse {
        let change = try ChangeRequest(request.context)
        let key = try Self.key(request.name)
        guard let before = try await self.writer.current()[key] else {
            throw RPCError(code: .notFound, message: "there is no user \(FieldChecks.shown(request.name))")
        }
        let write = ResourceWrite(
            key: key, content: nil, secret: nil, base: request.hasBaseVersion ? request.baseVersion : before.version)
        let row = change.change(
            "user.remove", "user/\(request.name)", before: ControlUser.with { $0.name = request.name })
        let state = try await self.writer.write(.user, [write], [row])
        return .with { $0.stateVersion = state.version }
    }

    private static func versioned(_ stored: StoredResource) -> ControlVersionedUser {
        .with {
            $0.name = stored.key.name
            $0.version = stored.version
        }
    }

    private static func key(_ name: String) throws(RPCError) -> ResourceKey {
        guard !name.isEmpty else { throw .invalid("name", "empty") }
        try FieldChecks.text(name, "name", atMost: Self.maximumNameBytes)
        return ResourceKey(type: .user, name: name)
    }
}
