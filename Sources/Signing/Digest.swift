import CSodium

/// A SHA-256 hash (FIPS 180-4).
public struct Digest: Bytes32Representable {
  public let value: Bytes32
  public init(value: Bytes32) { self.value = value }

  public static let zero = Digest(value: .zero)

  /// SHA-256 of the bytes.
  public init(hashing bytes: [UInt8]) {
    var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    unsafe withUnsafeMutablePointer(to: &words) { output in
      unsafe output.withMemoryRebound(to: UInt8.self, capacity: 32) { output in
        _ = unsafe crypto_hash_sha256(output, bytes, UInt64(bytes.count))
      }
    }
    value = Bytes32(
      words: (
        UInt64(bigEndian: words.0), UInt64(bigEndian: words.1), UInt64(bigEndian: words.2), UInt64(bigEndian: words.3)
      ))
  }

  /// SHA-256 of a text label's UTF-8, a zero byte, and the parts one after another. Parts of varying length must
  /// carry their own lengths (canonical CBOR does).
  public init(label: String, _ parts: [UInt8]...) {
    var input = Array(label.utf8)
    input.append(0)
    for part in parts { input.append(contentsOf: part) }
    self.init(hashing: input)
  }
}
