import Telemetry

/// Protocol version that was agreed; `none` where the handshake did not get that far.
package enum TLSVersionLabel: String, MetricLabel {
    package static let labelName = "version"
    case none
    case tls10 = "TLSv1.0"
    case tls11 = "TLSv1.1"
    case tls12 = "TLSv1.2"
    case tls13 = "TLSv1.3"
}

extension TLSVersionLabel {
    /// The label of OpenSSL's name of a version.
    package init(_ version: String) {
        self = TLSVersionLabel(rawValue: version == "TLSv1" ? "TLSv1.0" : version) ?? .none
    }
}
