import FixtureSupport
import Signing
import Testing

struct KeyAgreementTests {
  /// Two ends and what they come to share. All byte strings are hexadecimal.
  struct Vector: Encodable {
    var context: String
    var seeds: [String]
    var publicKeys: [String]
    /// SHA-256(context ‖ 0x00 ‖ X25519 secret ‖ lesser public key ‖ greater public key)
    var sharedKey: String
  }

  /// RFC 7748 §6.1.
  let aliceSeed = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"
  let bobSeed = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"

  @Test func rfc7748() throws {
    let alice = try KeyAgreementKey(seed: try #require(Hexadecimal.decode(aliceSeed)))
    let bob = try KeyAgreementKey(seed: try #require(Hexadecimal.decode(bobSeed)))
    #expect(alice.publicKey.hexadecimal == "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
    #expect(bob.publicKey.hexadecimal == "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
    let secret = try #require(
      Hexadecimal.decode("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"))
    let expected = Digest(label: "test", secret, alice.publicKey.bytes, bob.publicKey.bytes).bytes
    #expect(try alice.sharedKey(with: bob.publicKey, context: "test") == expected)
    #expect(try bob.sharedKey(with: alice.publicKey, context: "test") == expected)
    #expect(try bob.sharedKey(with: alice.publicKey, context: "other") != expected)
    try Fixtures.check(
      "key-agreement", about: "X25519 (RFC 7748) and the key derived from it.",
      [
        Vector(
          context: "test", seeds: [aliceSeed, bobSeed],
          publicKeys: [alice.publicKey.hexadecimal, bob.publicKey.hexadecimal],
          sharedKey: Hexadecimal.encode(expected))
      ])
  }

  @Test func generatedKeysAgree() throws {
    let (left, right) = (try KeyAgreementKey.generate(), try KeyAgreementKey.generate())
    let shared = try left.sharedKey(with: right.publicKey, context: "packets")
    #expect(try right.sharedKey(with: left.publicKey, context: "packets") == shared)
    let third = try KeyAgreementKey.generate()
    #expect(try third.sharedKey(with: left.publicKey, context: "packets") != shared)
  }

  /// Points of small order give the same secret whatever the key: 0 and 1.
  @Test(arguments: [UInt8(0), 1])
  func weakPeersAreRefused(first: UInt8) throws {
    let weak = try #require(KeyAgreementPublicKey([first] + [UInt8](repeating: 0, count: 31)))
    let key = try KeyAgreementKey.generate()
    #expect(throws: KeyError.weakPeerKey) { try key.sharedKey(with: weak, context: "packets") }
  }
}
