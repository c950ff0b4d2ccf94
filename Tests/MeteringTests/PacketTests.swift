import Messages
import Metering
import Signing
import Testing

struct PacketTests {
  let header = PacketHeader(
    purpose: .probe, direction: .down, flow: 0xA1B2_C3D4, epoch: 77, peer: PeerNumber(rawValue: 0x0506),
    sequence: 0x0102_0304_0506_0708,
    sent: Instant(nanoseconds: 1_700_000_000_123_456_789))

  private func key() throws -> PacketTag.Key { try #require(PacketTag.Key([UInt8](0..<16))) }

  @Test func aPacketReadsBackAsItWasWritten() throws {
    let bytes = header.packet(payload: [1, 2, 3], key: try key())
    #expect(bytes.count == PacketHeader.overheadBytes + 3)
    let packet = try Packet(bytes)
    #expect(packet.header == header)
    #expect(Array(packet.payload) == [1, 2, 3])
    #expect(packet.hasValidTag(try key()))
  }

  /// Whatever bit of a packet changes, it is no packet or its tag fails.
  @Test func everyBitIsCovered() throws {
    let bytes = header.packet(payload: [9, 8, 7, 6], key: try key())
    for bit in 0..<bytes.count * 8 {
      var changed = bytes
      changed[bit / 8] ^= 1 << UInt8(bit % 8)
      if let packet = try? Packet(changed) { #expect(!packet.hasValidTag(try key())) }
    }
  }

  @Test func structureIsStrict() throws {
    let good = header.packet(payload: [], key: try key())
    #expect(throws: Packet.Defect.length) { try Packet(Array(good.dropLast())) }
    #expect(throws: Packet.Defect.length) { try Packet(good + [0]) }
    #expect(throws: Packet.Defect.length) { try Packet([]) }
    for (index, value, defect) in [
      (0, UInt8(2), Packet.Defect.version), (1, 3, .purpose), (2, 0, .direction), (3, 1, .reserved),
    ] {
      var bad = good
      bad[index] = value
      #expect(throws: defect) { try Packet(bad) }
    }
  }

  @Test func bothEndsAgreeOnATagKeyPerActivation() throws {
    let enclave = try KeyAgreementKey(seed: [UInt8](repeating: 1, count: 32))
    let edge = try KeyAgreementKey(seed: [UInt8](repeating: 2, count: 32))
    let there = PacketTag.Key(agreement: enclave, peer: edge.publicKey, activation: Samples.activation)
    let here = PacketTag.Key(agreement: edge, peer: enclave.publicKey, activation: Samples.activation)
    #expect(there != nil)
    #expect(there == here)
    let other = PacketTag.Key(
      agreement: edge, peer: enclave.publicKey, activation: ActivationID(Digest(hashing: [9])))
    #expect(other != here)
  }

  @Test func anEchoCarriesItsProbe() {
    let echo = EchoPayload(sequence: 5, sent: Samples.start, held: .microseconds(17))
    #expect(EchoPayload(echo.bytes[...]) == echo)
    #expect(EchoPayload(echo.bytes.dropLast()) == nil)
  }

  @Test func theRateLimiterHoldsTheRateAndAllowsTheBurst() {
    var limiter = RateLimiter(rate: 8_000_000, burst: .milliseconds(10))
    // A thousand bytes take one millisecond: ten may come at once, then one per millisecond.
    var admitted = (0..<20).filter { _ in limiter.admits(bytes: 1000, at: Samples.start) }.count
    #expect(admitted == 10)
    admitted = (1...100).filter { limiter.admits(bytes: 1000, at: Samples.start + .milliseconds($0)) }.count
    #expect(admitted == 100)
    admitted =
      (1...100).filter { limiter.admits(bytes: 1000, at: Samples.start + .microseconds(100_000 + $0 * 500)) }.count
    #expect(admitted == 50)
  }
}
