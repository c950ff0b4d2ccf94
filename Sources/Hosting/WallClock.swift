import Glibc
import Messages

/// The system's real-time clock (`CLOCK_REALTIME`), the only place where the shells read it.
public enum WallClock {
  public static func now() -> Instant {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Instant(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
  }
}
