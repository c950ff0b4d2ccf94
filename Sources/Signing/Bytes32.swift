import Wire

/// Thirty-two bytes as four big-endian words: copied without allocation, ordered as its bytes are.
public struct Bytes32: Hashable, Comparable, Sendable {
  let words: (UInt64, UInt64, UInt64, UInt64)

  public static let zero = Bytes32(words: (0, 0, 0, 0))

  init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

  /// - Returns: nil unless there are exactly 32 bytes.
  public init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count == 32 else { return nil }
    // One copy, then plain indexing: element by element through the protocol it would cost microseconds.
    let bytes = Array(bytes)
    func word(_ start: Int) -> UInt64 {
      var value: UInt64 = 0
      for index in start..<start + 8 { value = value << 8 | UInt64(bytes[index]) }
      return value
    }
    words = (word(0), word(8), word(16), word(24))
  }

  public var bytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(32)
    bytes.append(self)
    return bytes
  }

  public static func == (left: Bytes32, right: Bytes32) -> Bool { left.words == right.words }
  public static func < (left: Bytes32, right: Bytes32) -> Bool { left.words < right.words }

  public func hash(into hasher: inout Hasher) {
    // All four: a stranger can choose the bytes of a key, and with them a word that many keys share.
    hasher.combine(words.0)
    hasher.combine(words.1)
    hasher.combine(words.2)
    hasher.combine(words.3)
  }
}

extension [UInt8] {
  mutating func append<Integer: FixedWidthInteger>(bigEndian value: Integer) {
    for shift in stride(from: Integer.bitWidth - 8, through: 0, by: -8) {
      append(UInt8(truncatingIfNeeded: value >> shift))
    }
  }

  /// Appends the thirty-two bytes without an array in between.
  mutating func append(_ value: Bytes32) {
    append(bigEndian: value.words.0)
    append(bigEndian: value.words.1)
    append(bigEndian: value.words.2)
    append(bigEndian: value.words.3)
  }
}

/// A type that is nothing but thirty-two bytes with a meaning.
public protocol Bytes32Representable: Hashable, Comparable, WireCodable, CustomStringConvertible {
  var value: Bytes32 { get }
  init(value: Bytes32)
}

extension Bytes32Representable {
  /// - Returns: nil unless there are exactly 32 bytes.
  public init?(_ bytes: some Collection<UInt8>) {
    guard let value = Bytes32(bytes) else { return nil }
    self.init(value: value)
  }

  /// - Returns: nil unless there are exactly 64 hexadecimal digits.
  public init?(hexadecimal: String) {
    guard let bytes = Hexadecimal.decode(hexadecimal), let value = Bytes32(bytes) else { return nil }
    self.init(value: value)
  }

  public var bytes: [UInt8] { value.bytes }
  public var hexadecimal: String { Hexadecimal.encode(value.bytes) }
  /// The first eight hexadecimal digits: for people, never for machines.
  public var short: String { String(hexadecimal.prefix(8)) }
  public var description: String { hexadecimal }

  public static func < (left: Self, right: Self) -> Bool { left.value < right.value }

  public func encode(to writer: inout CBORWriter) { writer.write(bytes: value.bytes) }
  public init(from reader: inout CBORReader) throws(WireError) {
    let bytes = try reader.byteString(exactly: 32, field: "\(Self.self)")
    guard let value = Bytes32(bytes) else { throw .invalidValue(field: "\(Self.self)") }
    self.init(value: value)
  }
}

/// Lower-case hexadecimal text.
public enum Hexadecimal {
  private static let digits = Array("0123456789abcdef".utf8)

  public static func encode(_ bytes: some Collection<UInt8>) -> String {
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count * 2)
    for byte in bytes {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// - Returns: nil for an odd number of digits or anything that is not a digit. Upper case is accepted.
  public static func decode(_ text: String) -> [UInt8]? {
    let utf8 = Array(text.utf8)
    guard utf8.count.isMultiple(of: 2) else { return nil }
    func nibble(_ digit: UInt8) -> UInt8? {
      switch digit {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
      default: nil
      }
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(utf8.count / 2)
    for index in stride(from: 0, to: utf8.count, by: 2) {
      guard let high = nibble(utf8[index]), let low = nibble(utf8[index + 1]) else { return nil }
      bytes.append(high << 4 | low)
    }
    return bytes
  }
}
