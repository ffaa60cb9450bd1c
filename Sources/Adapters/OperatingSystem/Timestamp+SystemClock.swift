import Foundation
public import MailModel

extension Timestamp {
    /// The moment by this machine's clock.
    public static var systemNow: Timestamp {
        // Not clock_gettime: optimised builds share one view of C among the files of a module. They attribute the
        // fields of timespec to a module that cannot be imported by name.
        Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000))
    }
}
