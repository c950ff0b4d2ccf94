/// A value with exactly one encoding. `init(from:)` accepts exactly what `encode(to:)` writes.
public protocol WireCodable: Sendable {
  func encode(to writer: inout CBORWriter)
  init(from reader: inout CBORReader) throws(WireError)
}

extension WireCodable {
  /// The canonical bytes.
  public var encoded: [UInt8] {
    var writer = CBORWriter()
    encode(to: &writer)
    return writer.bytes
  }

  /// Decodes one whole item; anything after it is refused.
  public init(decoding bytes: [UInt8], limits: WireLimits = .standard) throws(WireError) {
    var reader = try CBORReader(bytes, limits: limits)
    self = try Self(from: &reader)
    try reader.finish()
  }
}

extension UInt64: WireCodable {
  public func encode(to writer: inout CBORWriter) { writer.write(self) }
  public init(from reader: inout CBORReader) throws(WireError) { self = try reader.uint() }
}

extension Int64: WireCodable {
  public func encode(to writer: inout CBORWriter) { writer.write(self) }
  public init(from reader: inout CBORReader) throws(WireError) { self = try reader.int() }
}

extension String: WireCodable {
  public func encode(to writer: inout CBORWriter) { writer.write(self) }
  public init(from reader: inout CBORReader) throws(WireError) { self = try reader.text() }
}

extension Bool: WireCodable {
  public func encode(to writer: inout CBORWriter) { writer.write(self) }
  public init(from reader: inout CBORReader) throws(WireError) { self = try reader.bool() }
}
