/// Why a replica cannot serve.
package struct ControlPlaneError: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
