import Signing
import Wire

/// One signed tally (§3.3.1): what one point counted of one flow's direction in one epoch. Nobody has to agree with
/// it; it is what its signer claims.
public struct SLAReceipt: Hashable, SignedPayload {
  public static let kind = MessageKind.receipt

  public var activation: ActivationID
  public var flow: UInt64
  public var direction: Direction
  public var point: MeasurementPoint
  public var epoch: EpochNumber
  /// Serving cell.
  public var cell: String
  public var condition: EpochCondition
  /// Nil: no packet of the epoch passed.
  public var range: PacketRange?
  public var counts: PacketCounts
  /// At receiving points and in between: arrival minus stamp.
  public var delay: DelaySummary?
  /// Between consecutive packets (RFC 3393), magnitudes.
  public var delayVariation: DelaySummary?
  /// At the enclave that receives echoes.
  public var roundTrips: RoundTrips?
  /// One bit per ``slotLength`` of the epoch by the packets' stamps, least significant first: set where a packet that
  /// counts passed. Whole bytes, no trailing zero byte.
  public var slots: [UInt8]
  /// Longest stretch between the stamps of two packets that passed with none but missing packets between them,
  /// nanoseconds.
  public var longestGap: UInt64
  public var clock: ClockQuality
  /// Digest of this point's receipt for the epoch before; zero for the first.
  public var previous: Digest
  /// Digest of the attestation evidence under which the signer's key was registered; zero for none.
  public var attestation: Digest
  /// Whether this is the point's last receipt of the flow.
  public var terminal: Bool

  public static let slotLength: Span = .milliseconds(100)
  public static let maximumSlots = 4096
  public static let fieldCount = 18

  public init(
    activation: ActivationID, flow: UInt64, direction: Direction, point: MeasurementPoint, epoch: EpochNumber,
    cell: String, condition: EpochCondition, range: PacketRange?, counts: PacketCounts, delay: DelaySummary?,
    delayVariation: DelaySummary?, roundTrips: RoundTrips?, slots: [UInt8], longestGap: UInt64, clock: ClockQuality,
    previous: Digest, attestation: Digest, terminal: Bool
  ) {
    self.activation = activation
    self.flow = flow
    self.direction = direction
    self.point = point
    self.epoch = epoch
    self.cell = cell
    self.condition = condition
    self.range = range
    self.counts = counts
    self.delay = delay
    self.delayVariation = delayVariation
    self.roundTrips = roundTrips
    self.slots = slots
    self.longestGap = longestGap
    self.clock = clock
    self.previous = previous
    self.attestation = attestation
    self.terminal = terminal
  }

  /// What the point's next receipt names as its previous.
  public var digest: Digest { Digest(hashing: encoded) }

  public func encode(to writer: inout CBORWriter) {
    writer.array(Self.fieldCount)
    writer.write(activation)
    writer.write(flow)
    writer.write(direction)
    writer.write(point)
    writer.write(epoch)
    writer.write(cell)
    writer.write(condition)
    writer.write(optional: range)
    writer.write(counts)
    writer.write(optional: delay)
    writer.write(optional: delayVariation)
    writer.write(optional: roundTrips)
    writer.write(bytes: slots)
    writer.write(longestGap)
    writer.write(clock)
    writer.write(previous)
    writer.write(attestation)
    writer.write(terminal)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(Self.fieldCount) { (reader) throws(WireError) in
      let receipt = SLAReceipt(
        activation: try reader.value(), flow: try reader.uint(), direction: try reader.value(),
        point: try reader.value(), epoch: try reader.uint(),
        cell: try reader.text(maximum: ServiceTerms.maximumNameBytes), condition: try reader.value(),
        range: try reader.optional(), counts: try reader.value(), delay: try reader.optional(),
        delayVariation: try reader.optional(), roundTrips: try reader.optional(),
        slots: try reader.byteString(maximum: Self.maximumSlots / 8), longestGap: try reader.uint(),
        clock: try reader.value(), previous: try reader.value(), attestation: try reader.value(),
        terminal: try reader.bool())
      guard receipt.slots.last != 0 else { throw .invalidValue(field: "slots") }
      return receipt
    }
  }
}

/// The packets of an epoch that a point saw, by their headers.
public struct PacketRange: Hashable, Sendable, WireCodable {
  public var firstSequence: UInt64
  public var lastSequence: UInt64
  /// Earliest and latest stamp.
  public var firstSent: Instant
  public var lastSent: Instant

  public init(firstSequence: UInt64, lastSequence: UInt64, firstSent: Instant, lastSent: Instant) {
    self.firstSequence = firstSequence
    self.lastSequence = lastSequence
    self.firstSent = firstSent
    self.lastSent = lastSent
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(4)
    writer.write(firstSequence)
    writer.write(lastSequence)
    writer.write(firstSent)
    writer.write(lastSent)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(4) { (reader) throws(WireError) in
      let range = PacketRange(
        firstSequence: try reader.uint(), lastSequence: try reader.uint(), firstSent: try reader.value(),
        lastSent: try reader.value())
      guard range.firstSequence <= range.lastSequence, range.firstSent <= range.lastSent else {
        throw .invalidValue(field: "packet range")
      }
      return range
    }
  }
}

/// Packets counted at a point in an epoch. Bytes are whole packets, header included.
public struct PacketCounts: Hashable, Sendable, WireCodable {
  /// Sent, or passed on by a point in between.
  public var packetsSent: UInt64 = 0
  public var bytesSent: UInt64 = 0
  /// First copies that came in time.
  public var uniqueReceived: UInt64 = 0
  public var bytesReceived: UInt64 = 0
  public var duplicates: UInt64 = 0
  /// First copies that came after one with a higher sequence number.
  public var reordered: UInt64 = 0
  /// Later than T_max: lost.
  public var late: UInt64 = 0
  /// Of epochs already closed, whichever they were.
  public var stale: UInt64 = 0
  public var badTag: UInt64 = 0
  /// Too large, too fast, not from the flow's peer, or at a shut gate. At the edge first copies only, and of those
  /// only the ones not passed on: a replayed packet adds nothing.
  public var droppedByPolicy: UInt64 = 0
  /// Stamped with an epoch that its sequence number or the time contradicts, or a number no honest sender reaches.
  public var misstamped: UInt64 = 0

  public init() {}

  private static let fields: [WritableKeyPath<PacketCounts, UInt64> & Sendable] = [
    \.packetsSent, \.bytesSent, \.uniqueReceived, \.bytesReceived, \.duplicates, \.reordered, \.late, \.stale,
    \.badTag, \.droppedByPolicy, \.misstamped,
  ]

  public func encode(to writer: inout CBORWriter) {
    writer.array(Self.fields.count)
    for field in Self.fields { writer.write(self[keyPath: field]) }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(Self.fields.count) { (reader) throws(WireError) in
      var counts = PacketCounts()
      for field in Self.fields { counts[keyPath: field] = try reader.uint() }
      return counts
    }
  }
}

/// Probes of an epoch and their echoes (RFC 2681), the endpoint's holding time taken off within the contract's bound on
/// clock errors.
public struct RoundTrips: Hashable, Sendable, WireCodable {
  /// Probes stamped in the epoch.
  public var probes: UInt64
  public var summary: DelaySummary?

  public init(probes: UInt64, summary: DelaySummary?) {
    self.probes = probes
    self.summary = summary
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(probes)
    writer.write(optional: summary)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      RoundTrips(probes: try reader.uint(), summary: try reader.optional())
    }
  }
}

/// All receipts of one side for one epoch, signed each, in the order of ``AccountingSide/points``. Its digest is what
/// the commitment and the joint record name.
public struct ReceiptSet: Hashable, Sendable, WireCodable {
  public var receipts: [Envelope]

  /// Two directions with at most four points each.
  public static let maximumReceipts = 8

  public init(_ receipts: [Envelope]) { self.receipts = receipts }

  public var digest: Digest { Digest(hashing: encoded) }

  public func encode(to writer: inout CBORWriter) { writer.write(list: receipts) }
  public init(from reader: inout CBORReader) throws(WireError) {
    receipts = try reader.list(maximum: Self.maximumReceipts)
  }
}

/// "My receipts for this epoch hash to this, and they follow that record": signed before either side opens its
/// receipts, so that neither can fit its own to the other's.
public struct EpochCommitment: Hashable, SignedPayload {
  public static let kind = MessageKind.commitment

  public var activation: ActivationID
  public var epoch: EpochNumber
  public var side: AccountingSide
  /// Of the ``ReceiptSet``.
  public var receipts: Digest
  /// Digest of the joint record of the epoch before; zero for the first.
  public var previousRecord: Digest

  public init(
    activation: ActivationID, epoch: EpochNumber, side: AccountingSide, receipts: Digest, previousRecord: Digest
  ) {
    self.activation = activation
    self.epoch = epoch
    self.side = side
    self.receipts = receipts
    self.previousRecord = previousRecord
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(5)
    writer.write(activation)
    writer.write(epoch)
    writer.write(side)
    writer.write(receipts)
    writer.write(previousRecord)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(5) { (reader) throws(WireError) in
      EpochCommitment(
        activation: try reader.value(), epoch: try reader.uint(), side: try reader.value(),
        receipts: try reader.value(), previousRecord: try reader.value())
    }
  }
}
