import Messages

/// Epochs of one activation: equal stretches of time from its start (epoch rules 1 and 3).
public struct EpochClock: Hashable, Sendable {
  public let startAt: Instant
  public let length: Span
  public let grace: Span
  /// Booked epochs.
  public let count: UInt64

  /// - Returns: nil when the epochs would not end within representable time.
  public init?(startAt: Instant, epochs: UInt64, metering: MeteringTerms) {
    guard metering.epoch > .zero, epochs > 0, epochs <= ContractTerms.maximumEpochs else { return nil }
    let (span, overflow) = metering.epoch.nanoseconds.multipliedReportingOverflow(by: Int64(epochs))
    guard !overflow, startAt + Span(nanoseconds: span) < .distantFuture else { return nil }
    self.startAt = startAt
    self.length = metering.epoch
    self.grace = metering.grace
    self.count = epochs
  }

  /// The epoch that holds an instant; nil before the first. Counts on beyond the last.
  public func epoch(at instant: Instant) -> EpochNumber? {
    instant < startAt ? nil : EpochNumber((instant - startAt).nanoseconds / length.nanoseconds)
  }

  public func start(of epoch: EpochNumber) -> Instant { startAt + length * Int64(clamping: epoch) }
  public func end(of epoch: EpochNumber) -> Instant { start(of: epoch + 1) }
  /// From here on nothing changes what was counted of the epoch.
  public func close(of epoch: EpochNumber) -> Instant { end(of: epoch) + grace }

  public var end: Instant { start(of: count) }

  /// The same start with another number of epochs: a termination shortens, an extension lengthens.
  public func with(epochs: UInt64, metering: MeteringTerms) -> EpochClock? {
    EpochClock(startAt: startAt, epochs: epochs, metering: metering)
  }
}

/// What a sender stamps: epoch and sequence number, neither of which ever goes back, whatever its clock does.
public struct PacketStamper: Sendable {
  public let flow: UInt32
  public let direction: Direction
  private var clock: EpochClock
  private var lastEpoch: EpochNumber
  public private(set) var nextSequence: UInt64

  /// - Parameter nextSequence: above every number used before in this flow and direction, in whatever life.
  public init(flow: UInt32, direction: Direction, clock: EpochClock, nextSequence: UInt64, lastEpoch: EpochNumber = 0) {
    self.flow = flow
    self.direction = direction
    self.clock = clock
    self.nextSequence = nextSequence
    self.lastEpoch = lastEpoch
  }

  /// The activation ends after another number of epochs than it was booked for.
  public mutating func rebook(_ clock: EpochClock) { self.clock = clock }

  /// The header of a packet that leaves now: epoch = max(previous, computed).
  /// - Returns: nil outside the booked epochs.
  public mutating func stamp(
    _ purpose: PacketHeader.Purpose = .data, peer: PeerNumber, at now: Instant
  ) -> PacketHeader? {
    guard let computed = clock.epoch(at: now) else { return nil }
    let epoch = max(lastEpoch, computed)
    guard epoch < clock.count else { return nil }
    lastEpoch = epoch
    defer { nextSequence += 1 }
    return PacketHeader(
      purpose: purpose, direction: direction, flow: flow, epoch: epoch, peer: peer, sequence: nextSequence, sent: now)
  }
}
