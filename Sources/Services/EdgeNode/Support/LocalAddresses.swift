import MailModel
import NIOCore
import NIOPosix
import OperatingSystem

/// The addresses of this machine.
enum LocalAddresses {
    /// Those of all interfaces.
    static func ofInterfaces() throws -> [IPAddress] {
        try System.enumerateDevices().compactMap { device in
            // An IPv6 address of one link has the link's name behind it.
            device.address?.ipAddress.flatMap { IPAddress($0.prefix { $0 != "%" }) }
        }
    }

    /// Why connections cannot come from `address`; `nil` if they can.
    static func refusal(of address: IPAddress) async -> String? {
        do {
            let socket = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .bind(host: "\(address)", port: 0).get()
            try await socket.close()
            return nil
        } catch {
            return Self.refusal(of: address, errno: (error as? IOError)?.errnoCode)
        }
    }

    /// The same in words, for what binding a socket to the address failed with.
    static func refusal(of address: IPAddress, errno: CInt?) -> String {
        guard let errno else { return "\(address) cannot be used on this machine" }
        guard ConnectFault(errno: errno) == .sourceAddress else {
            return "\(address) cannot be used on this machine: \(systemWords(errno: errno))"
        }
        return "\(address) is no address of this machine"
    }
}
