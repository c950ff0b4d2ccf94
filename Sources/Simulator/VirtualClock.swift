import Messages
import Topology

/// What an actor takes for the time, when that is not the world's: ahead or behind, fast or slow. As a real host's, it
/// never goes back within a life: set back, it runs at half speed until the other has caught up (`SteadyClock`).
struct VirtualClock {
  private var offset: Span = .zero
  private var drift: Int64 = 0
  private var driftsSince: Instant
  private var last: Instant
  private var lastRead: Instant

  init(at now: Instant) {
    driftsSince = now
    last = now
    lastRead = now
  }

  /// A fault is added to what is wrong already.
  mutating func disturb(_ error: Topology.ClockError, at now: Instant) {
    offset = deviation(at: now) + error.step
    drift += Int64(error.drift)
    driftsSince = now
  }

  /// Set right, as from a time server.
  mutating func correct(at now: Instant) {
    (offset, drift) = (.zero, 0)
    driftsSince = now
  }

  /// Whether it shows what every other clock does.
  var isRight: Bool { offset == .zero && drift == 0 && last <= lastRead }

  mutating func read(at now: Instant) -> Instant {
    let wall = now + deviation(at: now)
    last = wall >= last ? wall : last + (now - lastRead) / 2
    lastRead = now
    return last
  }

  /// When this clock will show a time, as far as can be said now; never before `now`.
  func worldInstant(showing reading: Instant, at now: Instant) -> Instant {
    let wall = now + deviation(at: now)
    guard reading > max(last, wall) else { return now }
    let missing: Int64 = (reading - wall).nanoseconds
    let rate: Int64 = 1_000_000_000 + drift
    let wait: Int64 = missing / rate * 1_000_000_000 + missing % rate * 1_000_000_000 / rate
    // While it catches up it runs at half speed: whichever shows the time first.
    let halved: Int64 = wall < last ? (reading - last).nanoseconds * 2 : wait
    // One more nanosecond than integer division leaves, so that asking again always gets further.
    return now + Span(nanoseconds: min(wait, halved) + 1)
  }

  private func deviation(at now: Instant) -> Span {
    // Microseconds, so that a year of the worst drift does not overflow.
    offset + Span(nanoseconds: (now - driftsSince).nanoseconds / 1_000 * drift / 1_000_000)
  }
}
