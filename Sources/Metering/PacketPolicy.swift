import Messages

/// What may pass in one direction: packets not larger and not faster than the segment's contract says. Segments follow
/// one another, and a packet is held to the terms of the epoch that its sender stamped.
public struct PacketPolicy: Sendable {
  /// Who holds packets to it.
  public enum Holder: Sendable {
    /// Before it stamps.
    case sender
    /// The edge, which allows for what bunches on the way (``ContractTerms/edgeLimiter(_:)``).
    case edge
  }

  private struct Stretch: Sendable {
    let from: EpochNumber
    let terms: ContractTerms
    var limiter: RateLimiter
  }

  private let direction: Direction
  private let holder: Holder
  private var stretches: [Stretch] = []

  /// - Parameter segments: contracts with their first epochs, ascending, at least one.
  public init(_ direction: Direction, _ holder: Holder, segments: [BookedSegment]) {
    self.direction = direction
    self.holder = holder
    rebook(segments)
  }

  /// A segment came, or the last was cut short by another. What was admitted so far stays counted.
  public mutating func rebook(_ segments: [BookedSegment]) {
    stretches = segments.map { segment in
      if let known = stretches.first(where: { $0.from == segment.from && $0.terms == segment.terms }) { return known }
      let terms = segment.terms
      let limiter = holder == .sender ? terms.senderLimiter(direction) : terms.edgeLimiter(direction)
      return Stretch(from: segment.from, terms: terms, limiter: limiter)
    }
  }

  /// Whether a packet of this size may pass now; one that may is counted against the rate.
  public mutating func admits(bytes: Int, epoch: EpochNumber, at now: Instant) -> Bool {
    guard let index = stretches.lastIndex(where: { $0.from <= epoch }),
      bytes <= Int(clamping: stretches[index].terms.service.maximumPacketBytes)
    else { return false }
    return stretches[index].limiter.admits(bytes: bytes, at: now)
  }
}
