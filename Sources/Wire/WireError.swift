/// Why bytes were refused. A decoder never repairs: whoever receives one of these drops the bytes and counts them.
public enum WireError: Error, Equatable, Sendable {
  /// The input ends before the item does.
  case truncated(at: Int)
  /// Bytes remain after the one item that was expected.
  case trailingBytes(at: Int)
  /// Another major type or simple value than the grammar asks for.
  case unexpectedType(at: Int, expected: String)
  /// Well-formed CBOR that is not the one deterministic encoding (RFC 8949 §4.2.1): longer head than needed,
  /// indefinite length, map keys out of order or repeated.
  case notDeterministic(at: Int)
  /// A text string that is not UTF-8.
  case invalidText(at: Int)
  /// A length or count above the reader's or the field's limit. Checked before anything is allocated.
  case overLimit(at: Int, limit: Int)
  /// Arrays, maps and tags nested deeper than ``WireLimits/maximumDepth``.
  case tooDeep(at: Int)
  /// The bytes are canonical CBOR but the value has no meaning in the field named.
  case invalidValue(field: String)
}
