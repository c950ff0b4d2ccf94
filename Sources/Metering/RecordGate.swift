import Messages

/// "The record of e is due by the end of e + 1; without it e + 2 is not served" (§3.3.1, epoch rule 8): exposure is at
/// most two epochs. Decided for each epoch at its start and never changed afterwards; service resumes with the first
/// epoch that starts with its record in hand.
public struct RecordGate: Sendable {
  /// Records that matter for epochs running now.
  private static let rememberedRecords = 16
  private let isGated: Bool
  private let clock: EpochClock
  private var recorded: [(epoch: EpochNumber, at: Instant)] = []

  /// - Parameter recordedThrough: the last record recovered after a crash.
  public init(terms: MeteringTerms, clock: EpochClock, recordedThrough: EpochNumber? = nil) {
    isGated = terms.gated
    self.clock = clock
    if let recordedThrough { recorded.append((recordedThrough, .zero)) }
  }

  public mutating func recorded(_ epoch: EpochNumber, at now: Instant) {
    recorded.append((epoch, now))
    if recorded.count > Self.rememberedRecords { recorded.removeFirst() }
  }

  /// Whether an epoch that has begun is served. Asking before it begins tells what would be if it began now.
  public func isOpen(for epoch: EpochNumber) -> Bool {
    guard isGated, epoch >= 2 else { return true }
    let start = clock.start(of: epoch)
    return recorded.contains { $0.epoch >= epoch - 2 && $0.at <= start }
  }
}
