import CSodium
import Wire

/// The public half of a ``KeyAgreementKey``: an X25519 u-coordinate (RFC 7748 §5).
public struct KeyAgreementPublicKey: Bytes32Representable {
  public let value: Bytes32
  public init(value: Bytes32) { self.value = value }
}

/// An X25519 key (RFC 7748) by which two ends come to share a secret that no member in between knows, such as the
/// key of their packet tags. The scalar stays in guarded memory.
public struct KeyAgreementKey: Sendable {
  public let publicKey: KeyAgreementPublicKey
  private let slab: KeySlab
  private let slot: Int

  /// A new key from the operating system's randomness.
  public static func generate() throws(KeyError) -> KeyAgreementKey {
    try unsafe KeyAgreementKey { secret in unsafe randombytes_buf(secret, KeyAgreementKey.scalarBytes) }
  }

  /// The key of a 32-byte scalar (RFC 7748 §5; libsodium clamps it at use).
  public init(seed: [UInt8]) throws(KeyError) {
    guard seed.count == Self.scalarBytes else { throw .wrongSeedLength(seed.count) }
    try unsafe self.init { secret in
      for index in 0..<Self.scalarBytes { unsafe secret[index] = seed[index] }
    }
  }

  private static let scalarBytes = Int(crypto_scalarmult_SCALARBYTES)

  private init(fill: (UnsafeMutablePointer<UInt8>) -> Void) throws(KeyError) {
    (slab, slot) = unsafe try KeySlab.store(fill)
    var output = [UInt8](repeating: 0, count: 32)
    _ = unsafe crypto_scalarmult_base(&output, slab.pointer(slot))
    publicKey = KeyAgreementPublicKey(value: Bytes32(output) ?? .zero)
  }

  /// Thirty-two bytes that only this key's holder and `peer`'s can compute: SHA-256 over the context, the X25519
  /// secret and both public keys in bytewise order, so that both ends hash the same (RFC 7748 §6.1 asks for the
  /// public keys to be included).
  /// - Throws: ``KeyError/weakPeerKey`` for a point of small order, which would let anybody know the secret.
  public func sharedKey(with peer: KeyAgreementPublicKey, context: String) throws(KeyError) -> [UInt8] {
    var input = Array(context.utf8)
    input.append(0)
    let start = input.count
    input.append(contentsOf: repeatElement(0, count: 32))
    input.append(min(publicKey, peer).value)
    input.append(max(publicKey, peer).value)
    let peerBytes = peer.bytes
    let isStrong = unsafe input.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return false }
      return unsafe crypto_scalarmult(base + start, slab.pointer(slot), peerBytes) == 0
    }
    defer { unsafe input.withUnsafeMutableBytes { unsafe sodium_memzero($0.baseAddress, $0.count) } }
    guard isStrong else { throw .weakPeerKey }
    return Digest(hashing: input).bytes
  }
}
