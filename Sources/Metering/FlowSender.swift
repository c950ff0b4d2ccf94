import Messages

/// The sending side of a flow at one of its ends: what may leave, and under which epoch and number.
public struct FlowSender: Sendable {
  public enum Outcome: Hashable, Sendable {
    case leaves(PacketHeader)
    /// Exceeds what was bought, or no number is reserved for it: dropped before it gets a number, so that it can never
    /// look like loss.
    case dropped(EpochNumber)
    /// No booked epoch runs.
    case closed
  }

  public let direction: Direction
  private var stamper: PacketStamper
  private var policy: PacketPolicy
  private var numbers: SequenceReservation
  private var clock: EpochClock

  /// - Parameter recovered: the limit of sequence numbers that an earlier life made durable; 0 for none.
  public init(
    flow: UInt32, _ direction: Direction, segments: [BookedSegment], clock: EpochClock, packetsPerEpoch: Int,
    recovered: UInt64 = 0
  ) {
    self.direction = direction
    self.clock = clock
    policy = PacketPolicy(direction, .sender, segments: segments)
    numbers = SequenceReservation(recovered: recovered, packetsPerEpoch: packetsPerEpoch)
    stamper = PacketStamper(flow: flow, direction: direction, clock: clock, nextSequence: numbers.first)
  }

  /// Stamps a packet of so many bytes, header and tag included.
  public mutating func stamp(_ purpose: PacketHeader.Purpose, peer: PeerNumber, bytes: Int, at now: Instant) -> Outcome
  {
    guard let epoch = clock.epoch(at: now), epoch < clock.count else { return .closed }
    guard numbers.permits(stamper.nextSequence), policy.admits(bytes: bytes, epoch: epoch, at: now) else {
      return .dropped(epoch)
    }
    guard let header = stamper.stamp(purpose, peer: peer, at: now) else { return .closed }
    return .leaves(header)
  }

  /// - Returns: the limit of numbers to make durable and read back now; nil while enough are reserved.
  public mutating func reserve() -> UInt64? { numbers.extend(next: stamper.nextSequence) }

  /// The limit was read back: it is durable.
  public mutating func reserved(_ limit: UInt64) { numbers.readBack(limit) }

  public mutating func rebook(_ clock: EpochClock, segments: [BookedSegment]) {
    self.clock = clock
    stamper.rebook(clock)
    policy.rebook(segments)
  }
}
