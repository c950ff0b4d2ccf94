import CSodium

/// Why sealed bytes were not opened: another key's, or changed. The caller must not use what it has; restoring an
/// older copy does not help.
public enum SealError: Error, Equatable, Sendable {
  case tooShort
  case notAuthentic
}

/// A secret key that closes bytes for whoever holds it, and shows any change to them: libsodium's `crypto_secretbox`
/// (XSalsa20-Poly1305) with a random nonce of 24 bytes before each box, which may be drawn for ever without meeting
/// itself. The key stays in guarded memory.
public struct SealingKey: Sendable {
  private let slab: KeySlab
  private let slot: Int

  /// Bytes that sealing adds.
  public static let overheadBytes = nonceBytes + macBytes
  private static let nonceBytes = Int(crypto_secretbox_NONCEBYTES)
  private static let macBytes = Int(crypto_secretbox_MACBYTES)
  private static let keyBytes = Int(crypto_secretbox_KEYBYTES)

  /// - Parameter secret: 32 bytes. Wipe them afterwards (``wipe(_:)``).
  public init(secret: [UInt8]) throws(KeyError) {
    guard secret.count == Self.keyBytes else { throw .wrongSeedLength(secret.count) }
    (slab, slot) = unsafe try KeySlab.store { place in
      for index in 0..<Self.keyBytes { unsafe place[index] = secret[index] }
    }
  }

  public func seal(_ content: [UInt8]) -> [UInt8] {
    Sodium.require()
    let nonce = randomBytes(Self.nonceBytes)
    var box = [UInt8](repeating: 0, count: content.count + Self.macBytes)
    _ = unsafe crypto_secretbox_easy(&box, content, UInt64(content.count), nonce, slab.pointer(slot))
    return nonce + box
  }

  public func open(_ sealed: [UInt8]) throws(SealError) -> [UInt8] {
    Sodium.require()
    guard sealed.count >= Self.overheadBytes else { throw .tooShort }
    let nonce = Array(sealed.prefix(Self.nonceBytes))
    let box = Array(sealed.dropFirst(Self.nonceBytes))
    var content = [UInt8](repeating: 0, count: box.count - Self.macBytes)
    guard unsafe crypto_secretbox_open_easy(&content, box, UInt64(box.count), nonce, slab.pointer(slot)) == 0 else {
      throw .notAuthentic
    }
    return content
  }
}

/// Overwrites a secret that had to pass through ordinary memory (a seed read from a file). Copies made before are not
/// reached, so there must be none.
public func wipe(_ secret: inout [UInt8]) {
  unsafe secret.withUnsafeMutableBytes { bytes in unsafe sodium_memzero(bytes.baseAddress, bytes.count) }
}
