/// What a reader accepts at most. Every number is checked before memory is taken.
public struct WireLimits: Sendable, Equatable {
  /// Whole input, bytes.
  public var maximumBytes: Int
  /// One byte or text string, bytes.
  public var maximumStringBytes: Int
  /// Items of one array or pairs of one map.
  public var maximumItems: Int
  /// Arrays, maps and tags inside one another.
  public var maximumDepth: Int

  public init(maximumBytes: Int, maximumStringBytes: Int, maximumItems: Int, maximumDepth: Int) {
    self.maximumBytes = maximumBytes
    self.maximumStringBytes = maximumStringBytes
    self.maximumItems = maximumItems
    self.maximumDepth = maximumDepth
  }

  /// Every message of the bus fits in these: 16 MiB (a full block with its certificate), depth 16.
  public static let standard = WireLimits(
    maximumBytes: 16 << 20, maximumStringBytes: 16 << 20, maximumItems: 1 << 17, maximumDepth: 16)
}

/// A strict, bounded, one-pass reader of deterministic CBOR. It throws at the first byte that is not the one
/// canonical encoding of what the caller asks for; it never skips and never guesses.
public struct CBORReader: Sendable {
  private let input: [UInt8]
  private let end: Int
  public private(set) var offset: Int
  public let limits: WireLimits
  private var depth = 0

  public init(_ input: [UInt8], limits: WireLimits = .standard) throws(WireError) {
    guard input.count <= limits.maximumBytes else {
      throw .overLimit(at: 0, limit: limits.maximumBytes)
    }
    self.input = input
    self.end = input.count
    self.offset = 0
    self.limits = limits
  }

  public var isAtEnd: Bool { offset == end }

  /// Call after the outermost item: anything left is an error.
  public func finish() throws(WireError) {
    guard isAtEnd else { throw .trailingBytes(at: offset) }
  }

  // MARK: Items

  public mutating func uint() throws(WireError) -> UInt64 {
    try head(expecting: 0, "unsigned integer")
  }

  /// An unsigned integer that must fit `type`.
  public mutating func uint<Integer: FixedWidthInteger>(_ type: Integer.Type, field: String) throws(WireError)
    -> Integer
  {
    guard let value = Integer(exactly: try uint()) else { throw .invalidValue(field: field) }
    return value
  }

  public mutating func int() throws(WireError) -> Int64 {
    let start = offset
    let (major, argument) = try anyHead()
    guard major <= 1 else { throw .unexpectedType(at: start, expected: "integer") }
    guard argument <= UInt64(Int64.max) else { throw .overLimit(at: start, limit: Int.max) }
    return major == 0 ? Int64(argument) : ~Int64(argument)
  }

  public mutating func bool() throws(WireError) -> Bool {
    let start = offset
    switch try byte() {
    case 0xF4: return false
    case 0xF5: return true
    default: throw .unexpectedType(at: start, expected: "boolean")
    }
  }

  /// Consumes a `null` if one is next.
  public mutating func takeNull() -> Bool {
    guard offset < end, input[offset] == 0xF6 else { return false }
    offset += 1
    return true
  }

  public mutating func byteString(maximum: Int? = nil) throws(WireError) -> [UInt8] {
    let start = offset
    let count = try head(expecting: 2, "byte string")
    return Array(try take(count, maximum: maximum, from: start))
  }

  /// A byte string of exactly `count` bytes.
  public mutating func byteString(exactly count: Int, field: String) throws(WireError) -> [UInt8] {
    let value = try byteString(maximum: count)
    guard value.count == count else { throw .invalidValue(field: field) }
    return value
  }

  public mutating func text(maximum: Int? = nil) throws(WireError) -> String {
    let start = offset
    let count = try head(expecting: 3, "text string")
    let slice = try take(count, maximum: maximum, from: start)
    guard let value = String(validating: slice, as: UTF8.self) else { throw .invalidText(at: start) }
    return value
  }

  /// Reads an array head and then `body`, which must consume exactly the items counted. The body gets the count.
  public mutating func array<Result>(
    maximum: Int? = nil, _ body: (inout CBORReader, Int) throws(WireError) -> Result
  ) throws(WireError) -> Result {
    let start = offset
    let count = try itemCount(head(expecting: 4, "array"), maximum: maximum, from: start)
    return try nested(at: start) { (reader) throws(WireError) in try body(&reader, count) }
  }

  /// An array whose length the grammar fixes: one positional record.
  public mutating func record<Result>(
    _ fields: Int, _ body: (inout CBORReader) throws(WireError) -> Result
  ) throws(WireError) -> Result {
    let start = offset
    return try array(maximum: limits.maximumItems) { (reader, count) throws(WireError) in
      guard count == fields else { throw .unexpectedType(at: start, expected: "array of \(fields)") }
      return try body(&reader)
    }
  }

  /// Reads a map head; `body` reads each pair itself through ``mapKey(after:)``.
  public mutating func map<Result>(
    maximum: Int? = nil, _ body: (inout CBORReader, Int) throws(WireError) -> Result
  ) throws(WireError) -> Result {
    let start = offset
    let count = try itemCount(head(expecting: 5, "map"), maximum: maximum, from: start)
    return try nested(at: start) { (reader) throws(WireError) in try body(&reader, count) }
  }

  /// The next integer key of a map, refused unless its encoding sorts after the previous one's (RFC 8949 §4.2.1).
  public mutating func mapKey(after previous: inout [UInt8]?) throws(WireError) -> Int64 {
    let start = offset
    let key = try int()
    let encoded = Array(input[start..<offset])
    if let previous, !previous.lexicographicallyPrecedes(encoded) { throw .notDeterministic(at: start) }
    previous = encoded
    return key
  }

  public mutating func tag(_ number: UInt64) throws(WireError) {
    let start = offset
    guard try head(expecting: 6, "tag") == number else {
      throw .unexpectedType(at: start, expected: "tag \(number)")
    }
  }

  public mutating func list<Element: WireCodable>(
    of type: Element.Type = Element.self, maximum: Int? = nil
  ) throws(WireError) -> [Element] {
    try array(maximum: maximum) { (reader, count) throws(WireError) in
      var values: [Element] = []
      values.reserveCapacity(min(count, 1024))
      for _ in 0..<count { values.append(try Element(from: &reader)) }
      return values
    }
  }

  public mutating func optional<Value: WireCodable>(_ type: Value.Type = Value.self) throws(WireError) -> Value? {
    takeNull() ? nil : try Value(from: &self)
  }

  public mutating func value<Value: WireCodable>(_ type: Value.Type = Value.self) throws(WireError) -> Value {
    try Value(from: &self)
  }

  /// The bytes between an earlier ``offset`` and now: what was just read, verbatim.
  public func bytes(since start: Int) -> [UInt8] { Array(input[start..<offset]) }

  // MARK: Heads

  private mutating func byte() throws(WireError) -> UInt8 {
    guard offset < end else { throw .truncated(at: offset) }
    defer { offset += 1 }
    return input[offset]
  }

  private mutating func head(expecting major: UInt8, _ name: String) throws(WireError) -> UInt64 {
    let start = offset
    let (found, argument) = try anyHead()
    guard found == major else {
      offset = start
      throw .unexpectedType(at: start, expected: name)
    }
    return argument
  }

  private mutating func anyHead() throws(WireError) -> (major: UInt8, argument: UInt64) {
    let start = offset
    let first = try byte()
    let major = first >> 5
    let short = first & 0x1F
    let byteCount: Int
    let least: UInt64
    switch short {
    case 0..<24: return (major, UInt64(short))
    case 24: (byteCount, least) = (1, 24)
    case 25: (byteCount, least) = (2, 0x100)
    case 26: (byteCount, least) = (4, 0x1_0000)
    case 27: (byteCount, least) = (8, 0x1_0000_0000)
    default: throw .notDeterministic(at: start)
    }
    guard end - offset >= byteCount else { throw .truncated(at: end) }
    var argument: UInt64 = 0
    for _ in 0..<byteCount { argument = argument << 8 | UInt64(try byte()) }
    guard argument >= least else { throw .notDeterministic(at: start) }
    return (major, argument)
  }

  private mutating func take(_ count: UInt64, maximum: Int?, from start: Int) throws(WireError) -> ArraySlice<UInt8> {
    let limit = min(maximum ?? limits.maximumStringBytes, limits.maximumStringBytes)
    guard count <= UInt64(limit) else { throw .overLimit(at: start, limit: limit) }
    guard count <= UInt64(end - offset) else { throw .truncated(at: end) }
    defer { offset += Int(count) }
    return input[offset..<offset + Int(count)]
  }

  private func itemCount(_ count: UInt64, maximum: Int?, from start: Int) throws(WireError) -> Int {
    let limit = min(maximum ?? limits.maximumItems, limits.maximumItems)
    guard count <= UInt64(limit) else { throw .overLimit(at: start, limit: limit) }
    // Every item takes at least one byte, so a count beyond what is left can be refused at once.
    guard count <= UInt64(end - offset) else { throw .truncated(at: end) }
    return Int(count)
  }

  private mutating func nested<Result>(
    at start: Int, _ body: (inout CBORReader) throws(WireError) -> Result
  ) throws(WireError) -> Result {
    guard depth < limits.maximumDepth else { throw .tooDeep(at: start) }
    depth += 1
    defer { depth -= 1 }
    return try body(&self)
  }
}
