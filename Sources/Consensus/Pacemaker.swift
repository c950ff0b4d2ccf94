import Messages

/// How long a leader is waited for.
///
/// At least the floor and four times the measured time from vote to certificate; every view without finality beyond the
/// two that a busy pipeline always has open adds one step, up to the cap. So timeouts grow linearly while the network
/// is worse than assumed and fall back with the next finality. (Exponential growth is where PBFT descendants halt for
/// hours after a short outage.) The growth follows from the views, so a restarted member waits as long as the others.
struct Pacemaker: Sendable {
  private let floor: Span
  private let step: Span
  private let cap: Span
  /// Smoothed time from an own notarize vote to the notarization; 1/8 of each new sample.
  private var votingTime = Span.zero

  static let openViewsOfBusyPipeline: UInt64 = 3

  init(_ configuration: ConsensusConfiguration) {
    floor = configuration.timeoutFloor
    step = configuration.timeoutStep
    cap = configuration.timeoutCap
  }

  mutating func measured(_ sample: Span) {
    guard sample > .zero else { return }
    votingTime = votingTime == .zero ? sample : (votingTime * 7 + sample) / 8
  }

  func timeout(view: View, finalized: View) -> Span {
    let open = view - min(view, finalized + Self.openViewsOfBusyPipeline)
    // Bounded before it is multiplied: beyond the cap nothing changes.
    let steps = Int64(min(open, 1 << 16))
    return min(cap, max(floor, votingTime * 4) + step * steps)
  }
}
