import MailModel
import NIOCore
import NIOPosix

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
            return "\(address) is no address of this machine: \(error)"
        }
    }
}
