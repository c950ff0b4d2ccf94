import Messages
import Synchronization
import Testing

@testable import Hosting

struct SteadyClockTests {
  /// Two clocks that a test turns by hand, in seconds.
  final class Hands: Sendable {
    let wall = Mutex<UInt64>(1000)
    let elapsed = Mutex<UInt64>(50)

    var clock: SteadyClock {
      SteadyClock(
        wall: { Instant(nanoseconds: self.wall.withLock { $0 } * 1_000_000_000) },
        elapsed: { Instant(nanoseconds: self.elapsed.withLock { $0 } * 1_000_000_000) })
    }

    func pass(_ seconds: UInt64) {
      wall.withLock { $0 += seconds }
      elapsed.withLock { $0 += seconds }
    }
  }

  @Test func `follows the wall clock, and a step forward at once`() {
    let hands = Hands()
    var clock = hands.clock
    #expect(clock.now() == Instant(nanoseconds: 1000_000_000_000))
    hands.pass(5)
    #expect(clock.now() == Instant(nanoseconds: 1005_000_000_000))
    hands.wall.withLock { $0 += 3600 }
    #expect(clock.now() == Instant(nanoseconds: 4605_000_000_000))
  }

  @Test func `after a step back runs at half speed until the wall clock has caught up`() {
    let hands = Hands()
    var clock = hands.clock
    _ = clock.now()
    hands.wall.withLock { $0 -= 10 }
    hands.pass(8)
    #expect(clock.now() == Instant(nanoseconds: 1004_000_000_000))
    hands.pass(8)
    #expect(clock.now() == Instant(nanoseconds: 1006_000_000_000))
    hands.pass(8)
    #expect(clock.now() == Instant(nanoseconds: 1014_000_000_000))
  }
}
