/// Keys of a ``KeyedMerkleTree`` read as strings of bits, most significant first. Each byte takes nine: one that
/// says the key goes on (1) or has ended (0), then its eight. So a key that is a prefix of another has a bit where
/// the two differ, and the order of the bit strings is the order of the bytes.
enum KeyBits {
  static let bitsPerByte = 9

  /// Bits beyond the end of the key read as 0.
  static func bit(_ key: [UInt8], _ index: Int) -> Bool {
    let (byte, position) = index.quotientAndRemainder(dividingBy: bitsPerByte)
    guard byte < key.count else { return false }
    return position == 0 || key[byte] >> UInt8(8 - position) & 1 == 1
  }

  /// The first bit where the keys differ; nil when they are equal.
  static func firstDifference(_ left: [UInt8], _ right: [UInt8]) -> Int? {
    let common = min(left.count, right.count)
    for index in 0..<common where left[index] != right[index] {
      return index * bitsPerByte + 1 + (left[index] ^ right[index]).leadingZeroBitCount
    }
    return left.count == right.count ? nil : common * bitsPerByte
  }

  /// Whether `left` sorts before `right`, bytewise.
  static func precedes(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard let difference = firstDifference(left, right) else { return false }
    return !bit(left, difference)
  }
}

/// The bits that all keys of a subtree begin with. `bytes` holds them with unknown bits zero, which makes it both
/// the one canonical form and the least key that can be in the subtree.
struct KeyPrefix: Hashable, Sendable {
  let bytes: [UInt8]
  let bits: Int

  static let empty = KeyPrefix(bytes: [], bits: 0)

  private init(bytes: [UInt8], bits: Int) {
    self.bytes = bytes
    self.bits = bits
  }

  /// The first `bits` bits of `key`.
  init(of key: [UInt8], bits: Int) {
    let (whole, rest) = bits.quotientAndRemainder(dividingBy: KeyBits.bitsPerByte)
    var bytes = Array(key.prefix(rest == 0 ? whole : whole + 1))
    if rest > 0, bytes.count > whole { bytes[whole] &= ~(0xFF >> UInt8(rest - 1)) }
    self.init(bytes: bytes, bits: bits)
  }

  /// The prefix of a branch as a proof states it.
  /// - Returns: nil unless the bytes are canonical and keys can go on after them.
  init?(branchBytes bytes: [UInt8], bits: Int) {
    let needed = (bits + KeyBits.bitsPerByte - 1) / KeyBits.bitsPerByte
    self.init(of: bytes, bits: bits)
    guard self.bytes == bytes, bytes.count == needed else { return nil }
  }

  /// This prefix and one bit more: what is known of a branch's child before it is seen.
  func appending(_ bit: Bool) -> KeyPrefix {
    var bytes = bytes
    if bit {
      let (byte, position) = bits.quotientAndRemainder(dividingBy: KeyBits.bitsPerByte)
      if position == 0 { bytes.append(0) } else { bytes[byte] |= 0x80 >> UInt8(position - 1) }
    }
    return KeyPrefix(bytes: bytes, bits: bits + 1)
  }

  func isPrefix(of key: [UInt8]) -> Bool {
    guard let difference = KeyBits.firstDifference(bytes, key) else { return true }
    return difference >= bits
  }

  func isPrefix(of longer: KeyPrefix) -> Bool { longer.bits >= bits && isPrefix(of: longer.bytes) }

  /// Whether every key that begins with this prefix lies outside `from ..< before`.
  func isOutside(from: [UInt8], before: [UInt8]) -> Bool { isWholly(before: from) || isWholly(from: before) }

  /// Whether every key that begins with this prefix sorts before `bound`.
  func isWholly(before bound: [UInt8]) -> Bool {
    guard let difference = KeyBits.firstDifference(bytes, bound) else { return false }
    return difference < bits && !KeyBits.bit(bytes, difference)
  }

  /// Whether every key that begins with this prefix is `bound` or sorts after it.
  func isWholly(from bound: [UInt8]) -> Bool { !KeyBits.precedes(bytes, bound) }
}
