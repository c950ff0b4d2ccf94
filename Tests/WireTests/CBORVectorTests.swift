import FixtureSupport
import Signing
import Testing
import Wire

/// Canonical items and refused bytes that `Tests/Interop/verify_vectors.py` checks with cbor2.
struct CBORVectorTests {
  struct Vector: Encodable, Sendable {
    var name: String
    var value: CBORItem
    var encoded: String
  }

  struct Refusal: Encodable, Sendable {
    var name: String
    var encoded: String
  }

  @Test func canonicalItems() throws {
    let items: [(String, CBORItem)] = [
      ("zero", .unsigned(0)), ("largest in the head", .unsigned(23)), ("smallest of one byte", .unsigned(24)),
      ("largest of one byte", .unsigned(255)), ("smallest of two bytes", .unsigned(256)),
      ("largest of two bytes", .unsigned(65_535)), ("smallest of four bytes", .unsigned(65_536)),
      ("largest of four bytes", .unsigned(4_294_967_295)), ("smallest of eight bytes", .unsigned(4_294_967_296)),
      ("largest", .unsigned(.max)), ("minus one", .negative(-1)), ("minus 24", .negative(-24)),
      ("minus 25", .negative(-25)), ("least", .negative(.min)), ("false", .bool(false)), ("true", .bool(true)),
      ("null", .null), ("no bytes", .bytes([])), ("24 bytes", .bytes([UInt8](0..<24))), ("no text", .text("")),
      ("text in three scripts", .text("née 你好 🚑")), ("empty array", .array([])),
      ("nested record", .array([.unsigned(1), .array([.text("a"), .null]), .bytes([0xFF])])),
      ("empty map", .map([])),
      ("map of a COSE header", .map([(1, .negative(-8)), (3, .unsigned(60_257)), (4, .bytes([1, 2]))])),
    ]
    for (_, item) in items { #expect(try CBORItem(decoding: item.encoded) == item) }
    try Fixtures.check(
      "cbor",
      about: "Deterministic CBOR (RFC 8949 §4.2.1). value: one key names the type; integers as decimal text.",
      items.map { Vector(name: $0.0, value: $0.1, encoded: Hexadecimal.encode($0.1.encoded)) })
  }

  @Test func refusedBytes() throws {
    let inputs: [(String, [UInt8])] = [
      ("integer in a longer head", [0x18, 0x17]), ("integer in a much longer head", [0x1B, 0, 0, 0, 0, 0, 0, 0, 1]),
      ("byte string length in a longer head", [0x58, 0x01, 0x00]),
      ("byte string of indefinite length", [0x5F, 0x41, 0, 0xFF]),
      ("array of indefinite length", [0x9F, 0x00, 0xFF]), ("map of indefinite length", [0xBF, 0x01, 0x02, 0xFF]),
      ("map out of order", [0xA2, 0x02, 0x00, 0x01, 0x00]), ("map with a key twice", [0xA2, 0x01, 0x00, 0x01, 0x00]),
      ("text that is not UTF-8", [0x62, 0xC3, 0x28]), ("truncated array", [0x82, 0x01]),
      ("trailing byte", [0x01, 0x01]),
    ]
    for (name, input) in inputs {
      #expect(throws: WireError.self, "\(name)") { try CBORItem(decoding: input) }
    }
    try Fixtures.check(
      "cbor-refused", about: "Bytes that no reader may accept as one deterministic item.",
      inputs.map { Refusal(name: $0.0, encoded: Hexadecimal.encode($0.1)) })
  }
}

/// One key names the type; integers are decimal text, because JSON numbers end at 2⁵³.
extension CBORItem: Encodable {
  private enum Key: String, CodingKey {
    case integer, bytes, text, bool, null, array, map
  }

  private struct Pair: Encodable {
    var key: String
    var value: CBORItem
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Key.self)
    switch self {
    case .unsigned(let value): try container.encode("\(value)", forKey: .integer)
    case .negative(let value): try container.encode("\(value)", forKey: .integer)
    case .bytes(let value): try container.encode(Hexadecimal.encode(value), forKey: .bytes)
    case .text(let value): try container.encode(value, forKey: .text)
    case .bool(let value): try container.encode(value, forKey: .bool)
    case .null: try container.encode(true, forKey: .null)
    case .array(let items): try container.encode(items, forKey: .array)
    case .map(let pairs):
      try container.encode(pairs.map { Pair(key: "\($0.key)", value: $0.value) }, forKey: .map)
    }
  }
}
