import Signing
import Testing

/// SipHash-2-4 against the reference implementation's vectors (key 00…0f, input 00, 01, 02, …).
struct PacketTagTests {
  let key = PacketTag.Key([UInt8](0..<16))

  @Test(
    arguments: [
      (0, 0x726F_DB47_DD0E_0E31), (1, 0x74F8_39C5_93DC_67FD), (8, 0x93F5_F579_9A93_2462), (15, 0xA129_CA61_49BE_45E5),
      (63, 0x958A_324C_EB06_4572),
    ] as [(Int, UInt64)])
  func referenceVectors(count: Int, tag: UInt64) throws {
    let input = (0..<count).map { UInt8($0) }
    #expect(PacketTag.compute(over: input, key: try #require(key)) == tag)
    let padded = [9] + input + [9]
    #expect(PacketTag.compute(over: padded[1..<count + 1], key: try #require(key)) == tag)
  }

  @Test func anotherKeyGivesAnotherTag() throws {
    let other = try #require(PacketTag.Key([UInt8](1..<17)))
    #expect(
      PacketTag.compute(over: [1, 2, 3], key: other) != PacketTag.compute(over: [1, 2, 3], key: try #require(key)))
  }

  @Test func keysHaveSixteenBytes() {
    #expect(PacketTag.Key([UInt8](0..<15)) == nil)
    #expect(PacketTag.Key([UInt8](0..<17)) == nil)
  }
}
