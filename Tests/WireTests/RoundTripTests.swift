import FixtureSupport
import Testing
import Wire

/// What is written is read back, and nothing but what would be written is read.
struct RoundTripTests {
  @Test(arguments: UInt64(1)...20)
  func everyItemComesBack(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<50 {
      let item = CBORItem.random(using: &generator)
      let bytes = item.encoded
      #expect(try CBORItem(decoding: bytes) == item)
    }
  }

  @Test(arguments: UInt64(1)...10)
  func everyTruncationIsRefused(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<20 {
      let bytes = CBORItem.random(using: &generator).encoded
      for count in 0..<bytes.count {
        #expect(throws: WireError.self) { try CBORItem(decoding: Array(bytes.prefix(count))) }
      }
    }
  }

  @Test(arguments: UInt64(1)...10)
  func trailingBytesAreRefused(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let bytes = CBORItem.random(using: &generator).encoded
    #expect(throws: WireError.trailingBytes(at: bytes.count)) { try CBORItem(decoding: bytes + [0]) }
  }

  /// Bytes that are accepted at all are the one encoding of what they say.
  @Test(arguments: UInt64(1)...20)
  func whatIsAcceptedIsCanonical(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<500 {
      var bytes = CBORItem.random(using: &generator).encoded
      for _ in 0..<Int.random(in: 1...3, using: &generator) {
        bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
      }
      guard let item = try? CBORItem(decoding: bytes) else { continue }
      #expect(item.encoded == bytes)
    }
  }

  @Test(arguments: UInt64(1)...20)
  func randomBytesNeverCrash(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<2_000 {
      let bytes = generator.bytes(Int.random(in: 0..<64, using: &generator))
      guard let item = try? CBORItem(decoding: bytes) else { continue }
      #expect(item.encoded == bytes)
    }
  }

  @Test(arguments: [
    0, 1, 23, 24, 255, 256, 65_535, 65_536, UInt64(UInt32.max), UInt64(UInt32.max) + 1, UInt64(Int64.max), .max,
  ])
  func unsignedBounds(value: UInt64) throws {
    #expect(try UInt64(decoding: value.encoded) == value)
  }

  @Test(arguments: [0, 23, 24, -1, -24, -25, -256, -257, -65_536, -65_537, Int64.max, Int64.min])
  func signedBounds(value: Int64) throws {
    #expect(try Int64(decoding: value.encoded) == value)
  }

  @Test func optionalsAndLists() throws {
    var writer = CBORWriter()
    writer.write(optional: UInt64?.none)
    writer.write(optional: UInt64(7))
    writer.write(list: ["a", "bc"])
    var reader = try CBORReader(writer.bytes)
    #expect(try reader.optional(UInt64.self) == nil)
    #expect(try reader.optional(UInt64.self) == 7)
    #expect(try reader.list(of: String.self) == ["a", "bc"])
    try reader.finish()
  }

  @Test func bytesSinceAnOffsetAreVerbatim() throws {
    var writer = CBORWriter()
    writer.write(UInt64(1))
    writer.write("inner")
    var reader = try CBORReader(writer.bytes)
    _ = try reader.uint()
    let start = reader.offset
    _ = try reader.text()
    #expect(reader.bytes(since: start) == "inner".encoded)
  }
}
