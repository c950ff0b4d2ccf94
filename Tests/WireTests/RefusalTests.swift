import Testing
import Wire

/// Every way to write an item other than the canonical one, and every excess, is refused.
struct RefusalTests {
  /// Heads longer than needed, for each major type that has an argument.
  @Test(arguments: UInt8(0)...6)
  func longHeads(major: UInt8) {
    let type = major << 5
    let heads: [[UInt8]] = [
      [type | 24, 0], [type | 24, 23],
      [type | 25, 0, 1], [type | 25, 0, 255],
      [type | 26, 0, 0, 0, 1], [type | 26, 0, 0, 255, 255],
      [type | 27, 0, 0, 0, 0, 0, 0, 0, 1], [type | 27, 0, 0, 0, 0, 255, 255, 255, 255],
    ]
    for head in heads {
      let input = head + [UInt8](repeating: 0, count: 300)
      #expect(throws: WireError.notDeterministic(at: 0)) { try read(major, input) }
    }
  }

  /// Indefinite lengths (31) and the reserved 28–30.
  @Test(arguments: UInt8(0)...6)
  func indefiniteAndReservedHeads(major: UInt8) {
    for short in UInt8(28)...31 {
      #expect(throws: WireError.notDeterministic(at: 0)) { try read(major, [major << 5 | short, 0x00, 0xFF]) }
    }
  }

  /// Half, single and double floats, undefined, break and simple values do not exist here.
  @Test(arguments: [UInt8](0xE0...0xF3) + [0xF7, 0xF8, 0xF9, 0xFA, 0xFB, 0xFF])
  func simpleValuesAndFloats(first: UInt8) {
    #expect(throws: WireError.self) { try CBORItem(decoding: [first] + [UInt8](repeating: 0, count: 8)) }
    #expect(throws: WireError.self) { try CBORItem(decoding: [first]) }
  }

  /// 1 → 0, −1 → 0, 24 → 0: order is that of the encodings (0x01 < 0x18… < 0x20).
  @Test(arguments: [
    [0xA2, 0x02, 0x00, 0x01, 0x00], [0xA2, 0x20, 0x00, 0x01, 0x00], [0xA2, 0x20, 0x00, 0x18, 0x18, 0x00],
    [0xA2, 0x01, 0x00, 0x01, 0x00],
  ])
  func mapsOutOfOrderOrWithRepeatedKeys(input: [UInt8]) {
    #expect(throws: WireError.notDeterministic(at: 3)) { try CBORItem(decoding: input) }
  }

  @Test func mapsInOrder() throws {
    let item = try CBORItem(decoding: [0xA3, 0x01, 0x00, 0x18, 0x18, 0x00, 0x20, 0x00])
    #expect(item == .map([(1, .unsigned(0)), (24, .unsigned(0)), (-1, .unsigned(0))]))
  }

  @Test(arguments: [
    [0xFF], [0x80], [0xC0, 0x80], [0xC3], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80],
    [0xF8, 0x88],
  ])
  func textThatIsNotUTF8(bytes: [UInt8]) {
    #expect(throws: WireError.invalidText(at: 0)) { try String(decoding: [0x60 | UInt8(bytes.count)] + bytes) }
  }

  /// UTF-8 that Unicode calls equal to another string is still another string: bytes in, the same bytes out.
  @Test func textIsNotNormalised() throws {
    let decomposed: [UInt8] = [0x63, 0x65, 0xCC, 0x81]
    #expect(try String(decoding: decomposed).encoded == decomposed)
  }

  @Test func limitsAreCheckedBeforeAnythingIsTaken() {
    let limits = WireLimits(maximumBytes: 20, maximumStringBytes: 4, maximumItems: 3, maximumDepth: 2)
    #expect(throws: WireError.overLimit(at: 0, limit: 20)) {
      try CBORItem(decoding: [UInt8](repeating: 0, count: 21), limits: limits)
    }
    #expect(throws: WireError.overLimit(at: 0, limit: 4)) {
      try CBORItem(decoding: [0x45, 1, 2, 3, 4, 5], limits: limits)
    }
    #expect(throws: WireError.overLimit(at: 0, limit: 4)) {
      try CBORItem(decoding: [0x65, 97, 97, 97, 97, 97], limits: limits)
    }
    #expect(throws: WireError.overLimit(at: 0, limit: 3)) {
      try CBORItem(decoding: [0x84, 0, 0, 0, 0], limits: limits)
    }
    #expect(throws: WireError.overLimit(at: 0, limit: 3)) {
      try CBORItem(decoding: [0xA4, 0, 0, 1, 0, 2, 0, 3, 0], limits: limits)
    }
    #expect(throws: WireError.tooDeep(at: 2)) { try CBORItem(decoding: [0x81, 0x81, 0x81, 0x00], limits: limits) }
    #expect(throws: WireError.tooDeep(at: 2)) {
      try CBORItem(decoding: [0x81, 0x81, 0xA1, 0x00, 0x00], limits: limits)
    }
  }

  @Test func fieldLimitsAreBelowTheReaders() throws {
    var reader = try CBORReader([0x43, 1, 2, 3])
    #expect(throws: WireError.overLimit(at: 0, limit: 2)) { try reader.byteString(maximum: 2) }
    reader = try CBORReader([0x43, 1, 2, 3])
    #expect(throws: WireError.overLimit(at: 0, limit: 2)) { try reader.byteString(exactly: 2, field: "two") }
    reader = try CBORReader([0x41, 1])
    #expect(throws: WireError.invalidValue(field: "two")) { try reader.byteString(exactly: 2, field: "two") }
    reader = try CBORReader([0x82, 0, 0])
    #expect(throws: WireError.overLimit(at: 0, limit: 1)) { try reader.list(of: UInt64.self, maximum: 1) }
    reader = try CBORReader([0x19, 0x01, 0x00])
    #expect(throws: WireError.invalidValue(field: "byte")) { try reader.uint(UInt8.self, field: "byte") }
    reader = try CBORReader([0x82, 0, 0])
    #expect(throws: WireError.unexpectedType(at: 0, expected: "array of 3")) {
      try reader.record(3) { (_) throws(WireError) in }
    }
  }

  /// Lengths that lie are refused at once, however large.
  @Test(arguments: [UInt8(0x40), 0x60, 0x80, 0xA0])
  func lengthsBeyondTheInput(type: UInt8) {
    #expect(throws: WireError.self) { try CBORItem(decoding: [type | 25, 0xFF, 0xFF, 0]) }
    #expect(throws: WireError.self) { try CBORItem(decoding: [type | 27] + [UInt8](repeating: 0xFF, count: 8)) }
  }

  @Test func nestingStopsAtTheStandardDepth() throws {
    let depth = WireLimits.standard.maximumDepth
    let deepest = [UInt8](repeating: 0x81, count: depth) + [0x00]
    _ = try CBORItem(decoding: deepest)
    #expect(throws: WireError.tooDeep(at: depth)) { try CBORItem(decoding: [0x81] + deepest) }
    #expect(throws: WireError.tooDeep(at: depth)) {
      try CBORItem(decoding: [UInt8](repeating: 0x81, count: 1_000_000))
    }
  }

  @Test func integersBeyondSixtyFourBitsSigned() {
    #expect(throws: WireError.overLimit(at: 0, limit: Int.max)) {
      try Int64(decoding: [0x1B, 0x80, 0, 0, 0, 0, 0, 0, 0])
    }
    #expect(throws: WireError.overLimit(at: 0, limit: Int.max)) {
      try Int64(decoding: [0x3B, 0x80, 0, 0, 0, 0, 0, 0, 0])
    }
  }

  @Test(arguments: UInt8(0)...7)
  func anotherTypeThanAskedFor(major: UInt8) {
    let input = [major << 5 | (major == 7 ? 22 : 0)]
    for asked in UInt8(0)...6 where asked != major {
      if asked == 1, major == 0 { continue }
      #expect(throws: WireError.self) { try read(asked, input) }
    }
  }

  /// Reads one item by the call that belongs to a major type.
  private func read(_ major: UInt8, _ input: [UInt8]) throws {
    var reader = try CBORReader(input)
    switch major {
    case 0: _ = try reader.uint()
    case 1: _ = try reader.int()
    case 2: _ = try reader.byteString()
    case 3: _ = try reader.text()
    case 4: try reader.array { (_, _) throws(WireError) in }
    case 5: try reader.map { (_, _) throws(WireError) in }
    default: try reader.tag(18)
    }
  }
}
