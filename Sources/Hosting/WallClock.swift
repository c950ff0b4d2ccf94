import Glibc
import Messages

/// The system's real-time clock (`CLOCK_REALTIME`): with ``SteadyClock``, the only place where the shells read it.
public enum WallClock {
  public static func now() -> Instant { read(CLOCK_REALTIME) }

  static func read(_ clock: clockid_t) -> Instant {
    var time = timespec()
    clock_gettime(clock, &time)
    return Instant(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
  }
}

/// Real time that never goes back within one life, which is what a core is promised. When the system's clock is set
/// back, this one runs at half speed until the other has caught up: so timers keep firing, where standing still would
/// stop the role for as long as the step was wide. A step forward is followed at once.
public struct SteadyClock: Sendable {
  private var last = Instant.zero
  private var lastElapsed = Instant.zero
  private let wall: @Sendable () -> Instant
  private let elapsed: @Sendable () -> Instant

  public init() { self.init(wall: WallClock.now, elapsed: { WallClock.read(CLOCK_MONOTONIC) }) }

  /// - Parameters:
  ///   - wall: the system's clock, which may step.
  ///   - elapsed: time since some fixed moment, which may not.
  init(wall: @escaping @Sendable () -> Instant, elapsed: @escaping @Sendable () -> Instant) {
    self.wall = wall
    self.elapsed = elapsed
  }

  public mutating func now() -> Instant {
    let (wall, elapsed) = (wall(), elapsed())
    let passed = elapsed - lastElapsed
    if wall >= last {
      last = wall
    } else {
      last = last + Span(nanoseconds: passed.nanoseconds / 2)
    }
    lastElapsed = elapsed
    return last
  }
}
