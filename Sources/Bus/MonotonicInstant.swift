import Glibc
import Messages

/// Nanoseconds of `CLOCK_MONOTONIC`: deadlines must not move when the wall clock is set.
struct MonotonicInstant: Comparable, Hashable, Sendable {
  let nanoseconds: UInt64

  static func now() -> MonotonicInstant {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return MonotonicInstant(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
  }

  func advanced(by span: Span) -> MonotonicInstant {
    MonotonicInstant(nanoseconds: nanoseconds &+ UInt64(max(0, span.nanoseconds)))
  }

  /// Zero when `earlier` is later.
  func nanoseconds(since earlier: MonotonicInstant) -> UInt64 {
    nanoseconds > earlier.nanoseconds ? nanoseconds - earlier.nanoseconds : 0
  }

  static func < (left: MonotonicInstant, right: MonotonicInstant) -> Bool { left.nanoseconds < right.nanoseconds }
}
