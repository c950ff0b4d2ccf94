import FixtureSupport
import Testing

@testable import Signing

struct KeyTests {
  struct KnownSignature: Sendable {
    var seed: String
    var publicKey: String
    var message: String
    var signature: String
  }

  /// RFC 8032 §7.1, tests 1 to 3.
  static let rfc8032 = [
    KnownSignature(
      seed: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      publicKey: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", message: "",
      signature:
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        + "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    ),
    KnownSignature(
      seed: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
      publicKey: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", message: "72",
      signature:
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        + "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    ),
    KnownSignature(
      seed: "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
      publicKey: "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", message: "af82",
      signature:
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        + "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
    ),
  ]

  @Test(arguments: rfc8032)
  func knownSignatures(known: KnownSignature) throws {
    let key = try SigningKey(seed: try #require(Hexadecimal.decode(known.seed)))
    let message = try #require(Hexadecimal.decode(known.message))
    #expect(key.publicKey.hexadecimal == known.publicKey)
    let signature = key.sign(message)
    #expect(Hexadecimal.encode(signature.bytes) == known.signature)
    #expect(key.publicKey.isValid(signature, over: message, scheme: .ed25519))
    #expect(!key.publicKey.isValid(signature, over: message + [0], scheme: .ed25519))
  }

  /// S + L is the same number modulo the group's order: libsodium takes only the canonical one, or whoever holds
  /// a signed message could make a second one of it.
  @Test func signaturesAreNotMalleable() throws {
    let key = try SigningKey(seed: [UInt8](repeating: 3, count: 32))
    let message: [UInt8] = [1, 2, 3]
    var bytes = key.sign(message).bytes
    let order = try #require(Hexadecimal.decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010"))
    var carry = 0
    for index in 0..<32 {
      let sum = Int(bytes[32 + index]) + Int(order[index]) + carry
      bytes[32 + index] = UInt8(sum & 0xFF)
      carry = sum >> 8
    }
    let other = try #require(Signature(bytes))
    #expect(!key.publicKey.isValid(other, over: message, scheme: .ed25519))
  }

  @Test func keysOfSmallOrderVerifyNothing() throws {
    let identity = PublicKey(value: try #require(Bytes32([1] + [UInt8](repeating: 0, count: 31))))
    let signature = try #require(Signature([1] + [UInt8](repeating: 0, count: 63)))
    #expect(!identity.isValid(signature, over: [1, 2, 3], scheme: .ed25519))
  }

  @Test(arguments: SignatureScheme.allCases)
  func manyKeysLiveBesideOneAnother(scheme: SignatureScheme) throws {
    let message: [UInt8] = [4, 5, 6]
    var keys = try (0..<200).map { number in
      try SigningKey(seed: [UInt8](repeating: UInt8(number), count: 32), scheme: scheme)
    }
    #expect(Set(keys.map(\.publicKey)).count == 200)
    // Every second key goes away; the others' memory stays.
    keys = keys.enumerated().filter { !$0.offset.isMultiple(of: 2) }.map(\.element)
    for key in keys { #expect(key.publicKey.isValid(key.sign(message), over: message, scheme: scheme)) }
  }

  @Test func keysAreMadeOnManyThreads() async throws {
    let keys = try await withThrowingTaskGroup(of: [SigningKey].self) { group in
      for _ in 0..<8 { group.addTask { try (0..<40).map { _ in try SigningKey.generate() } } }
      return try await group.reduce(into: []) { $0 += $1 }
    }
    #expect(Set(keys.map(\.publicKey)).count == 320)
    for key in keys { #expect(key.publicKey.isValid(key.sign([7]), over: [7], scheme: .ed25519)) }
  }

  @Test func seedsHaveThirtyTwoBytes() {
    #expect(throws: KeyError.wrongSeedLength(31)) { try SigningKey(seed: [UInt8](repeating: 0, count: 31)) }
    #expect(throws: KeyError.wrongSeedLength(33)) { try KeyAgreementKey(seed: [UInt8](repeating: 0, count: 33)) }
  }

  @Test func simulatedSignaturesBindKeyAndMessage() throws {
    let key = try SigningKey(seed: [UInt8](repeating: 1, count: 32), scheme: .simulated)
    let other = try SigningKey(seed: [UInt8](repeating: 2, count: 32), scheme: .simulated)
    let signature = key.sign([1])
    #expect(key.publicKey.isValid(signature, over: [1], scheme: .simulated))
    #expect(!key.publicKey.isValid(signature, over: [2], scheme: .simulated))
    #expect(!other.publicKey.isValid(signature, over: [1], scheme: .simulated))
    #expect(!key.publicKey.isValid(signature, over: [1], scheme: .ed25519))
  }

  /// NIST's examples of SHA-256.
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
  ])
  func digests(text: String, hexadecimal: String) {
    #expect(Digest(hashing: Array(text.utf8)).hexadecimal == hexadecimal)
  }

  @Test func thirtyTwoBytesAreOrderedAsBytes() {
    var generator = SeededGenerator(seed: 1)
    for _ in 0..<200 {
      let (left, right) = (generator.bytes(32), generator.bytes(32))
      guard let first = Digest(left), let second = Digest(right) else { continue }
      #expect((first < second) == left.lexicographicallyPrecedes(right))
      #expect(first.bytes == left)
      #expect(Digest(hexadecimal: first.hexadecimal) == first)
    }
    #expect(Digest(hexadecimal: String(repeating: "g", count: 64)) == nil)
    #expect(Digest([UInt8](repeating: 0, count: 31)) == nil)
  }
}
