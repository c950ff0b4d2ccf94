import Messages
import Metering

/// One thing that is asked of somebody, one request at a time and again until it is answered.
struct Conversation: Sendable {
  /// A request is in flight, or a retry is set.
  private(set) var isBusy = false
  private(set) var failures: UInt64 = 0

  static let leastPatience: Span = .milliseconds(100)
  static let longestPatience: Span = .seconds(2)
  static let firstPause: Span = .milliseconds(50)
  static let longestPause: Span = .seconds(2)
  /// Before the activation begins there is time.
  static let longestPauseBefore: Span = .seconds(30)

  mutating func asked() { isBusy = true }
  mutating func succeeded() { (isBusy, failures) = (false, 0) }
  mutating func mayAskAgain() { isBusy = false }

  /// How long the other one may take to answer one question. Three answers make a record, and it is due within the
  /// epoch that follows, so one lost message must leave time to ask again; each failure allows twice as long, so that
  /// an edge under load is not asked faster than it can answer.
  func patience(_ metering: MeteringTerms) -> Span {
    let first = max(Span.zero, metering.epoch - metering.grace) / 3
    return min(Self.longestPatience, max(Self.leastPatience, first) * (1 << Int64(min(failures, 6))))
  }

  /// The pause after another failure: longer each time, so that one that is down is not hammered, and never longer than
  /// a quarter of an epoch, so that one that comes to know of the activation late, or returns, need not wait on top.
  mutating func failed(_ booking: FlowBooking, at now: Instant) -> Span {
    failures += 1
    let longest = min(Self.longestPause, max(Self.firstPause, booking.parties.metering.epoch / 4))
    let pause = min(Self.firstPause * (1 << Int64(min(failures - 1, 10))), longest)
    return max(pause, min(Self.longestPauseBefore, (booking.clock.startAt - now) / 8))
  }
}
