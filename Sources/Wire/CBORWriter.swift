/// Writes deterministic CBOR (RFC 8949 §4.2.1): shortest heads, definite lengths. No floats and no indefinite
/// items exist here, so whatever this writes has exactly one encoding. Maps are written in the order given; the
/// few maps of the protocol (COSE headers, EAT claims) list their keys in bytewise order at the call site, and
/// the reader refuses any other order.
public struct CBORWriter: Sendable {
  public private(set) var bytes: [UInt8]

  public init(reservingBytes capacity: Int = 128) {
    bytes = []
    bytes.reserveCapacity(capacity)
  }

  public mutating func write(_ value: UInt64) { head(0, value) }

  public mutating func write(_ value: Int64) {
    if value >= 0 { head(0, UInt64(value)) } else { head(1, UInt64(bitPattern: ~value)) }
  }

  public mutating func write(_ value: Bool) { bytes.append(value ? 0xF5 : 0xF4) }

  public mutating func writeNull() { bytes.append(0xF6) }

  public mutating func write(bytes value: some Collection<UInt8>) {
    head(2, UInt64(value.count))
    bytes.append(contentsOf: value)
  }

  public mutating func write(_ value: String) {
    var value = value
    value.withUTF8 { utf8 in
      head(3, UInt64(utf8.count))
      bytes.append(contentsOf: utf8)
    }
  }

  /// The head of an array of `count` items; the caller writes exactly that many items next.
  public mutating func array(_ count: Int) { head(4, UInt64(count)) }

  /// The head of a map of `count` pairs; the caller writes keys in bytewise order of their encodings.
  public mutating func map(_ count: Int) { head(5, UInt64(count)) }

  public mutating func tag(_ number: UInt64) { head(6, number) }

  public mutating func write(_ value: some WireCodable) { value.encode(to: &self) }

  /// An array of values in the order given.
  public mutating func write<Element: WireCodable>(list values: [Element]) {
    array(values.count)
    for value in values { value.encode(to: &self) }
  }

  /// `null` or the value.
  public mutating func write<Value: WireCodable>(optional value: Value?) {
    if let value { value.encode(to: &self) } else { writeNull() }
  }

  /// Appends bytes that are already one canonical item (an envelope kept verbatim).
  public mutating func append(encoded item: some Collection<UInt8>) { bytes.append(contentsOf: item) }

  private mutating func head(_ major: UInt8, _ argument: UInt64) {
    let type = major << 5
    switch argument {
    case 0..<24:
      bytes.append(type | UInt8(argument))
    case 24...0xFF:
      bytes.append(type | 24)
      bytes.append(UInt8(argument))
    case 0x100...0xFFFF:
      bytes.append(type | 25)
      appendBigEndian(argument, byteCount: 2)
    case 0x1_0000...0xFFFF_FFFF:
      bytes.append(type | 26)
      appendBigEndian(argument, byteCount: 4)
    default:
      bytes.append(type | 27)
      appendBigEndian(argument, byteCount: 8)
    }
  }

  private mutating func appendBigEndian(_ value: UInt64, byteCount: Int) {
    for shift in stride(from: (byteCount - 1) * 8, through: 0, by: -8) {
      bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift)))
    }
  }
}
