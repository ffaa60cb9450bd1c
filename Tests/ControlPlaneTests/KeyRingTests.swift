import ControlPlane
import Cryptography
import Testing

@Suite("The key ring")
struct KeyRingTests {
    @Test("A secret opens by the current and by previous keys, for its own context, and is rewrapped once (control 17)")
    func rotation() throws {
        let (old, new) = (SealingKey.random(), SealingKey.random())
        let sealed = try KeyRing(current: old).seal([1, 2, 3], for: "resource/4/mx")
        let both = KeyRing(current: new, previous: [old])
        #expect(try both.open(sealed, for: "resource/4/mx") == [1, 2, 3])
        #expect(throws: CryptographyError.self) { try both.open(sealed, for: "resource/4/other") }
        let rewrapped = try #require(try both.rewrapped(sealed))
        let alone = KeyRing(current: new)
        #expect(try alone.open(rewrapped, for: "resource/4/mx") == [1, 2, 3])
        #expect(try alone.rewrapped(rewrapped) == nil)
        #expect(throws: CryptographyError.self) { try alone.open(sealed, for: "resource/4/mx") }
        #expect(throws: CryptographyError.self) { try alone.open([], for: "resource/4/mx") }
        #expect(alone.identifier == both.identifier)
    }
}
