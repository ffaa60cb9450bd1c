import CIDN2
import CNGHTTP2
import COpenSSL
import CPostgres
import CUnbound
import Testing

/// The libraries found at run time are of the versions whose behaviour the adapters were written for.
@Suite("C libraries")
struct LinkedVersionTests {
    @Test("OpenSSL is of the 3 series, whose SSL_dane functions verify")
    func openSSL() { #expect(OPENSSL_version_major() == 3) }

    @Test("libunbound is 1.17 or later")
    func unbound() throws {
        let version = try #require(ub_version().map { String(cString: $0) })
        let numbers = version.split(separator: ".").compactMap { Int($0) }
        #expect(numbers.lexicographicallyPrecedes([1, 17]) == false, "found \(version)")
    }

    @Test("libpq is 15 or later, which has the pipeline mode that the driver uses")
    func libpq() { #expect(PQlibVersion() >= 150_000) }

    @Test("nghttp2 is 1.52 or later")
    func nghttp2() {
        // A version below the one asked for gives no description.
        #expect(nghttp2_version(0x01_34_00) != nil)
    }

    @Test("libidn2 is 2.3 or later")
    func idn2() { #expect(idn2_check_version("2.3.0") != nil) }
}
