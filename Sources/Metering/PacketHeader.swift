import Messages
import Signing

/// What every packet of a flow carries between its two ends (sla.md, "Metering"). All numbers are big-endian.
///
///      0  version     1 byte    1
///      1  flags       1 byte    bit 0 probe, bit 1 echo, the others 0
///      2  direction   1 byte    1 up, 2 down
///      3  zero        1 byte
///      4  flow        4 bytes   from ``FlowOpened``
///      8  epoch       4 bytes   stamped by the sender
///     12  length      2 bytes   of the whole packet
///     14  peer        2 bytes   whom the payer's end talks to: its place among the contract's allowed peers
///     16  sequence    8 bytes   per flow and direction, never resets
///     24  sent        8 bytes   nanoseconds of the sender's clock
///     32  payload
///     …   tag         8 bytes   SipHash-2-4 over everything before it
///
/// The tag stands last so that it covers one unbroken stretch. It keeps strangers' packets out of the tallies and
/// convicts nobody: both ends know its key.
public struct PacketHeader: Hashable, Sendable {
  public enum Purpose: UInt8, Sendable, CaseIterable {
    case data = 0
    /// The receiving end answers it with an echo. Flagged in the open: the operator-side endpoint is the operator's
    /// own, so hiding the probe from it would be pretence.
    case probe = 1
    case echo = 2
  }

  public var purpose: Purpose
  public var direction: Direction
  public var flow: UInt32
  public var epoch: EpochNumber
  /// The flow's far end as the payer's application named it; the same number both ways. An edge passes on what bears
  /// the activation's own peer, and drops and counts all else (§3.1: a platoon, not the Internet).
  public var peer: PeerNumber
  public var sequence: UInt64
  public var sent: Instant

  public static let version: UInt8 = 1
  public static let headerBytes = 32
  public static let tagBytes = 8
  /// Bytes of a packet that are not payload.
  public static let overheadBytes = ServiceTerms.packetOverheadBytes

  public init(
    purpose: Purpose = .data, direction: Direction, flow: UInt32, epoch: EpochNumber, peer: PeerNumber,
    sequence: UInt64, sent: Instant
  ) {
    self.purpose = purpose
    self.direction = direction
    self.flow = flow
    self.epoch = epoch
    self.peer = peer
    self.sequence = sequence
    self.sent = sent
  }

  /// The whole packet. Epochs have 32 bits on the wire (`ContractTerms.maximumEpochs`), lengths 16; the caller keeps
  /// payloads below `Datagram.maximumBytes`.
  public func packet(payload: some Collection<UInt8>, key: PacketTag.Key) -> [UInt8] {
    let length = Self.overheadBytes + payload.count
    var bytes: [UInt8] = []
    bytes.reserveCapacity(length)
    bytes.append(contentsOf: [Self.version, purpose.rawValue, direction.rawValue, 0])
    bytes.append(number: flow)
    bytes.append(number: UInt32(truncatingIfNeeded: epoch))
    bytes.append(number: UInt16(truncatingIfNeeded: length))
    bytes.append(number: peer.rawValue)
    bytes.append(number: sequence)
    bytes.append(number: sent.nanoseconds)
    bytes.append(contentsOf: payload)
    bytes.append(number: PacketTag.compute(over: bytes, key: key))
    return bytes
  }
}

/// A packet as it came in: its structure is sound, its tag is not checked yet. The flow names the key to check with.
public struct Packet: Sendable {
  public let header: PacketHeader
  public let bytes: [UInt8]

  /// Why bytes are no packet. They are dropped and counted with the bad tags: nothing else in them can be believed.
  public enum Defect: Error, Equatable, Sendable {
    case length
    case version
    case reserved
    case purpose
    case direction
  }

  /// Parses strictly: exactly the length stated, no reserved bit set.
  public init(_ bytes: [UInt8]) throws(Defect) {
    guard bytes.count >= PacketHeader.overheadBytes, Int(bytes.number(at: 12, 2)) == bytes.count else { throw .length }
    guard bytes[0] == PacketHeader.version else { throw .version }
    guard bytes[3] == 0 else { throw .reserved }
    guard let purpose = PacketHeader.Purpose(rawValue: bytes[1]) else { throw .purpose }
    guard let direction = Direction(rawValue: bytes[2]) else { throw .direction }
    header = PacketHeader(
      purpose: purpose, direction: direction, flow: UInt32(bytes.number(at: 4, 4)), epoch: bytes.number(at: 8, 4),
      peer: PeerNumber(rawValue: UInt16(truncatingIfNeeded: bytes.number(at: 14, 2))),
      sequence: bytes.number(at: 16, 8), sent: Instant(nanoseconds: bytes.number(at: 24, 8)))
    self.bytes = bytes
  }

  public var payload: ArraySlice<UInt8> { bytes[PacketHeader.headerBytes..<bytes.count - PacketHeader.tagBytes] }

  public func hasValidTag(_ key: PacketTag.Key) -> Bool {
    let end = bytes.count - PacketHeader.tagBytes
    return PacketTag.compute(over: bytes[..<end], key: key) == bytes.number(at: end, PacketHeader.tagBytes)
  }
}

/// What an echo carries back of the probe that it answers.
public struct EchoPayload: Hashable, Sendable {
  public var sequence: UInt64
  public var sent: Instant
  /// How long the endpoint held the probe, by its own clock.
  public var held: Span

  public static let byteCount = 24

  public init(sequence: UInt64, sent: Instant, held: Span) {
    self.sequence = sequence
    self.sent = sent
    self.held = held
  }

  public init?(_ bytes: ArraySlice<UInt8>) {
    guard bytes.count >= Self.byteCount else { return nil }
    let bytes = Array(bytes.prefix(Self.byteCount))
    self.init(
      sequence: bytes.number(at: 0, 8), sent: Instant(nanoseconds: bytes.number(at: 8, 8)),
      held: Span(nanoseconds: Int64(clamping: bytes.number(at: 16, 8))))
  }

  public var bytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(number: sequence)
    bytes.append(number: sent.nanoseconds)
    bytes.append(number: UInt64(max(0, held.nanoseconds)))
    return bytes
  }
}

extension [UInt8] {
  fileprivate mutating func append<Number: FixedWidthInteger & UnsignedInteger>(number: Number) {
    for shift in stride(from: Number.bitWidth - 8, through: 0, by: -8) {
      append(UInt8(truncatingIfNeeded: number >> Number(shift)))
    }
  }

  /// The big-endian number in `count` bytes at `offset`, which exist.
  fileprivate func number(at offset: Int, _ count: Int) -> UInt64 {
    var value: UInt64 = 0
    for index in offset..<offset + count { value = value << 8 | UInt64(self[index]) }
    return value
  }
}

extension PacketTag.Key {
  /// The key of one activation's tags, from the secret that its two ends share (X25519): two enclaves, or an enclave
  /// and the edge whose endpoint it talks to. Edges in between cannot check tags; they count and forward.
  public init?(agreement: KeyAgreementKey, peer: KeyAgreementPublicKey, activation: ActivationID) {
    guard let shared = try? agreement.sharedKey(with: peer, context: "AJIT packet tag \(activation.hexadecimal)") else {
      return nil
    }
    self.init(shared.prefix(PacketTag.Key.byteCount))
  }
}
