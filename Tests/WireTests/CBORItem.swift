import FixtureSupport
import Wire

/// Any item the protocol's CBOR can hold: the tests' model of what a reader may meet.
indirect enum CBORItem: Equatable, Sendable {
  case unsigned(UInt64)
  /// Below zero.
  case negative(Int64)
  case bytes([UInt8])
  case text(String)
  case bool(Bool)
  case null
  case array([CBORItem])
  /// Keys in the order of their encodings.
  case map([(key: Int64, value: CBORItem)])

  static func == (left: CBORItem, right: CBORItem) -> Bool { left.encoded == right.encoded }

  var encoded: [UInt8] {
    var writer = CBORWriter()
    write(to: &writer)
    return writer.bytes
  }

  func write(to writer: inout CBORWriter) {
    switch self {
    case .unsigned(let value): writer.write(value)
    case .negative(let value): writer.write(value)
    case .bytes(let value): writer.write(bytes: value)
    case .text(let value): writer.write(value)
    case .bool(let value): writer.write(value)
    case .null: writer.writeNull()
    case .array(let items):
      writer.array(items.count)
      for item in items { item.write(to: &writer) }
    case .map(let pairs):
      writer.map(pairs.count)
      for pair in pairs {
        writer.write(pair.key)
        pair.value.write(to: &writer)
      }
    }
  }

  /// Reads one whole item, choosing each call of the reader by the byte that comes next.
  init(decoding input: [UInt8], limits: WireLimits = .standard) throws(WireError) {
    var reader = try CBORReader(input, limits: limits)
    self = try CBORItem(from: &reader, input)
    try reader.finish()
  }

  private init(from reader: inout CBORReader, _ input: [UInt8]) throws(WireError) {
    guard reader.offset < input.count else { throw .truncated(at: reader.offset) }
    switch input[reader.offset] >> 5 {
    case 0: self = .unsigned(try reader.uint())
    case 1: self = .negative(try reader.int())
    case 2: self = .bytes(try reader.byteString())
    case 3: self = .text(try reader.text())
    case 4:
      self = .array(
        try reader.array { (reader, count) throws(WireError) in
          var items: [CBORItem] = []
          for _ in 0..<count { items.append(try CBORItem(from: &reader, input)) }
          return items
        })
    case 5:
      self = .map(
        try reader.map { (reader, count) throws(WireError) in
          var pairs: [(key: Int64, value: CBORItem)] = []
          var previous: [UInt8]?
          for _ in 0..<count {
            let key = try reader.mapKey(after: &previous)
            pairs.append((key, try CBORItem(from: &reader, input)))
          }
          return pairs
        })
    default: self = reader.takeNull() ? .null : .bool(try reader.bool())
    }
  }

  static func random(using generator: inout SeededGenerator, depth: Int = 0) -> CBORItem {
    switch Int.random(in: 0..<(depth < 5 ? 8 : 6), using: &generator) {
    case 0: return .unsigned(generator.next() >> UInt64.random(in: 0..<64, using: &generator))
    case 1: return .negative(~Int64(generator.next() >> UInt64.random(in: 1..<64, using: &generator)))
    case 2: return .bytes(generator.bytes(Int.random(in: 0..<40, using: &generator)))
    case 3:
      let scalars: [Character] = ["a", "é", "你", "🚑", "\u{0}"]
      return .text(
        String(
          (0..<Int.random(in: 0..<30, using: &generator)).map { _ in scalars.randomElement(using: &generator) ?? "a" }))
    case 4: return .bool(Bool.random(using: &generator))
    case 5: return .null
    case 6:
      return .array(
        (0..<Int.random(in: 0..<6, using: &generator)).map { _ in random(using: &generator, depth: depth + 1) })
    default:
      let keys = Set(
        (0..<Int.random(in: 0..<6, using: &generator)).map { _ in Int64.random(in: -300...300, using: &generator) })
      let ordered = keys.sorted { $0.encoded.lexicographicallyPrecedes($1.encoded) }
      return .map(ordered.map { ($0, random(using: &generator, depth: depth + 1)) })
    }
  }
}
