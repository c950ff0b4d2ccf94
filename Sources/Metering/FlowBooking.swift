import Messages
import Signing
import Wire

/// What is booked of an activation, as one of its enclaves or edges knows it: who accounts for it, when its epochs are,
/// and what it may claim of each of them. Everything that changes it is kept, so that a later life comes to the same.
public struct FlowBooking: Sendable {
  public private(set) var parties: AccountParties
  /// Booked epochs, or fewer when the activation ends early.
  public private(set) var clock: EpochClock
  /// Handovers and amendments, in the order in which they came.
  public private(set) var updates: [BookingUpdate] = []
  /// Epochs after which the activation ends early.
  public private(set) var endsAfter: UInt64?
  /// This life began counting here: epochs that had begun before are interrupted.
  public var presentSince: Instant
  /// Epochs below had begun when they were booked: nobody counted them from their start.
  private var uncountedBelow: EpochNumber = 0
  private var gateTerms: MeteringTerms
  private var gate: RecordGate

  /// - Parameter hearsOfRecords: false for a far enclave, which is told of none and leaves the gate to the anchors.
  /// - Returns: nil when the epochs would not end within representable time.
  public init?(_ parties: AccountParties, presentSince: Instant, hearsOfRecords: Bool = true) {
    guard
      let clock = EpochClock(
        startAt: parties.startAt, epochs: parties.bookedEpochs, metering: parties.metering)
    else { return nil }
    self.parties = parties
    self.clock = clock
    self.presentSince = presentSince
    gateTerms = parties.metering
    gateTerms.gated = gateTerms.gated && hearsOfRecords
    gate = RecordGate(terms: gateTerms, clock: clock)
  }

  public var epochs: UInt64 { clock.count }

  // MARK: Changes

  /// Takes a handover or an amendment that is FINAL on the ledger; taking it again changes nothing.
  /// - Returns: false for one that does not fit what is booked.
  public mutating func apply(_ update: BookingUpdate, at now: Instant) -> Bool {
    var changed = parties
    guard changed.apply(update), let longer = Self.clock(changed, endsAfter: endsAfter) else { return false }
    if !updates.contains(update) { updates.append(update) }
    if longer.count > clock.count, let running = longer.epoch(at: now), running >= clock.count {
      uncountedBelow = max(uncountedBelow, running + 1)
    }
    parties = changed
    clock = longer
    return true
  }

  /// The activation ends after so many epochs: never fewer than are closed, never more than were booked.
  public mutating func end(after epochs: UInt64, closed: EpochNumber) -> Bool {
    guard epochs >= 1, epochs <= parties.bookedEpochs, epochs >= closed,
      let shorter = Self.clock(parties, endsAfter: epochs)
    else { return false }
    endsAfter = epochs
    clock = shorter
    return true
  }

  private static func clock(_ parties: AccountParties, endsAfter: UInt64?) -> EpochClock? {
    EpochClock(
      startAt: parties.startAt, epochs: min(endsAfter ?? .max, parties.bookedEpochs), metering: parties.metering)
  }

  // MARK: Epochs

  /// The record of an epoch is there: the gate opens for the two after the next.
  public mutating func recorded(_ epoch: EpochNumber, at now: Instant) { gate.recorded(epoch, at: now) }

  public func isGateOpen(for epoch: EpochNumber) -> Bool { gate.isOpen(for: epoch) }

  /// Service that begins with a later epoch than the first waits for no record of those before.
  public mutating func joined(from epoch: EpochNumber) {
    if epoch > 0 { gate.recorded(epoch - 1, at: .zero) }
  }

  public func condition(of epoch: EpochNumber) -> EpochCondition {
    if clock.start(of: epoch) < presentSince || epoch < uncountedBelow { return .interrupted }
    return gate.isOpen(for: epoch) ? .whole : .gated
  }

  /// The receipts that a key owes of an epoch that is over.
  /// - Parameters:
  ///   - tallies: what was counted, by point; points that the key does not stand at in this epoch are passed over.
  ///   - previous: the digest of a point's last receipt.
  public func receipts(
    of epoch: EpochNumber, by signer: PublicKey, _ tallies: [(point: MeteredPoint, tally: Tally)],
    heading: ReceiptHeading, previous: (MeteredPoint) -> Digest
  ) -> [SLAReceipt] {
    let condition = condition(of: epoch)
    return parties.points(of: signer, in: epoch).compactMap { point in
      guard let tally = tallies.first(where: { $0.point == point })?.tally,
        let serving = parties.serving(parties.end(of: point), in: epoch)
      else { return nil }
      var heading = heading
      heading.cell = serving.cell
      // The last of the flow, or of the edge that the point moves away from (epoch rule 7).
      let isTerminal = epoch + 1 == epochs || parties.signer(of: point, in: epoch + 1) != signer
      return tally.receipt(
        heading, point: point, epoch: epoch, condition: condition,
        previous: parties.begins(point, with: epoch) ? .zero : previous(point), terminal: isTerminal)
    }
  }

  // MARK: Durable

  /// What changed since the booking was made.
  public var changes: BookingChanges { BookingChanges(updates: updates, endsAfter: endsAfter) }

  /// Takes back what changed in an earlier life.
  /// - Returns: false when it does not fit what is booked.
  public mutating func recover(_ changes: BookingChanges) -> Bool {
    for update in changes.updates where !apply(update, at: .zero) { return false }
    return changes.endsAfter.map { end(after: $0, closed: 0) } ?? true
  }

  /// The records that an earlier life knew of.
  public mutating func recovered(recordedThrough epoch: EpochNumber?) {
    gate = RecordGate(terms: gateTerms, clock: clock, recordedThrough: epoch)
  }
}

/// Everything that changed about a booking, as it is kept.
public struct BookingChanges: Hashable, Sendable, WireCodable {
  public var updates: [BookingUpdate]
  public var endsAfter: UInt64?

  public init(updates: [BookingUpdate] = [], endsAfter: UInt64? = nil) {
    self.updates = updates
    self.endsAfter = endsAfter
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(list: updates)
    writer.write(optional: endsAfter)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    (updates, endsAfter) = try reader.record(2) { (reader) throws(WireError) in
      (
        try reader.list(maximum: ActivationLimits.segments + 2 * ActivationLimits.handovers), try reader.optional()
      )
    }
  }
}

extension FlowBooking {
  /// Numbers that one epoch of a direction may span, under whichever of its contracts.
  public func packetsPerEpoch(_ direction: Direction) -> Int {
    parties.segments.map { $0.terms.packetsPerEpoch(direction) }.max() ?? 0
  }

  /// What counts at a point from an epoch on.
  public func meter(_ point: MeteredPoint, from epoch: EpochNumber) -> PointMeter {
    var meter = PointMeter(point: point, terms: parties.booking.terms, clock: clock, firstOpen: epoch)
    rebook(&meter)
    return meter
  }

  public func rebook(_ meter: inout PointMeter) {
    for segment in parties.segments { meter.rebook(clock, terms: segment.terms) }
  }

  /// What sends in a direction.
  /// - Parameter recovered: the limit of sequence numbers that an earlier life made durable; 0 for none.
  public func sender(flow: UInt32, _ direction: Direction, recovered: UInt64) -> FlowSender {
    FlowSender(
      flow: flow, direction, segments: parties.segments, clock: clock, packetsPerEpoch: packetsPerEpoch(direction),
      recovered: recovered)
  }

  public func rebook(_ sender: inout FlowSender) { sender.rebook(clock, segments: parties.segments) }
}
