import CSodium

/// The tag on a packet: SipHash-2-4 (Aumasson and Bernstein, 2012), a keyed 64-bit hash that costs tens of
/// nanoseconds. It keeps out packets that neither end sent; it convicts nobody, because both ends can make it.
public enum PacketTag {
  /// 16 bytes that the two ends of a slice share.
  public struct Key: Sendable, Hashable {
    public static let byteCount = Int(crypto_shorthash_KEYBYTES)
    fileprivate let bytes: [UInt8]

    /// - Returns: nil unless there are exactly 16 bytes.
    public init?(_ bytes: some Collection<UInt8>) {
      guard bytes.count == Self.byteCount else { return nil }
      self.bytes = Array(bytes)
    }
  }

  /// The tag of a packet's bytes: the eight output bytes of SipHash-2-4 read as a little-endian number, as its
  /// authors print it.
  public static func compute(over bytes: [UInt8], key: Key) -> UInt64 { compute(over: bytes[...], key: key) }

  /// As ``compute(over:key:)``, for a part of a buffer.
  public static func compute(over bytes: ArraySlice<UInt8>, key: Key) -> UInt64 {
    var tag: UInt64 = 0
    unsafe withUnsafeMutablePointer(to: &tag) { output in
      unsafe output.withMemoryRebound(to: UInt8.self, capacity: 8) { output in
        unsafe bytes.withUnsafeBufferPointer { input in
          _ = unsafe crypto_shorthash(output, input.baseAddress, UInt64(input.count), key.bytes)
        }
      }
    }
    return UInt64(littleEndian: tag)
  }
}
