import Effects
import Messages
import Testing
import Topology

@testable import Simulator

/// Clocks that are wrong, and actors that stand still.
@Suite struct TimeFaultTests {
  private static let someone = ActorAddress(.client, "someone")

  /// A timer every second of the actor's own clock.
  private struct Ticker: RoleCore {
    let address = TimeFaultTests.someone
    private(set) var readings: [Instant] = []
    var subscriptions: [Subscription] { [] }

    mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
      readings.append(now)
      return [.setTimer(TimerID(1), at: now + .seconds(1))]
    }
  }

  private static func readings(_ kind: Fault.Kind) throws -> [Instant] {
    let world = World(
      faults: [Fault(at: .time(.milliseconds(5_500)), kind)], [ActorSeat(someone) { _, _ in Ticker() }])
    _ = world.run(timeLimit: .seconds(20), eventLimit: 1_000)
    let core = try #require(world.core(someone) as? Ticker)
    #expect(core.readings == core.readings.sorted())
    return core.readings
  }

  private static func clock(_ error: Topology.ClockError, lasting: Span? = nil) throws -> [Instant] {
    try readings(.clock([.init(someone)], error, lasting: lasting))
  }

  @Test func aStepForwardRingsTimersAtOnce() throws {
    let readings = try Self.clock(.init(step: .seconds(10)))
    // Twenty seconds have passed, and thirty on this clock.
    #expect(readings.count == 21)
    #expect(readings[20] - readings[0] > .seconds(28))
  }

  @Test func aStepBackSlowsTheClockUntilTheOthersHaveCaughtUp() throws {
    let readings = try Self.clock(.init(step: Span.zero - .seconds(4)))
    // Eight seconds at half speed.
    #expect((16...18).contains(readings.count))
  }

  @Test func driftAddsUp() throws {
    let fast = try Self.clock(.init(drift: Topology.ClockError.maximumDrift))
    let last = try #require(fast.last)
    // 14.5 seconds, one per cent fast; the last tick is up to a second before the end.
    #expect(last - World.start > .milliseconds(19_000))
    #expect(World(seed: 1, []).now == World.start)
  }

  @Test func aClockThatIsSetRightIsRight() throws {
    let readings = try Self.clock(.init(step: .milliseconds(100), drift: 1_000), lasting: .seconds(2))
    let last = try #require(readings.last)
    #expect(last <= World.start + .seconds(20))
  }

  @Test func whoIsPausedHearsEverythingLater() throws {
    let world = World.asking(
      seed: 1, faults: [Fault(at: .time(.seconds(2)), .pause([.init(World.counter)], lasting: .seconds(3)))])
    _ = world.run(timeLimit: .seconds(10), eventLimit: 20_000)
    let asker = try #require(world.askerCore)
    #expect(world.lives(World.counter) == 1)
    // What was asked in vain was counted nevertheless.
    #expect(asker.published == Array(1...UInt64(asker.published.count)) && asker.published.count > 95)
    #expect(asker.answers.contains { if case .failure = $0 { true } else { false } })
  }

  /// Blocks carry their leaders' clocks: an hour is too far, and honest members wait instead of accusing.
  @Test func membersWithWrongClocksAgreeOrWait() throws {
    let members = try Members()
    let wrong: [Fault] = [
      .init(
        at: .time(.seconds(1)),
        .clock([.init(members.validators[0])], .init(step: .seconds(30)), lasting: .seconds(5))),
      .init(
        at: .time(.seconds(2)),
        .clock([.init(members.validators[1])], .init(step: Span.zero - .seconds(30)), lasting: .seconds(5))),
      .init(at: .time(.seconds(1)), .clock([.init(members.validators[2])], .init(drift: 5_000_000), lasting: nil)),
    ]
    let outcome = members.run(seed: 1, faults: Array(wrong.prefix(2)), timeLimit: .seconds(20))
    #expect(outcome.complaints == [])
    let drifting = members.run(seed: 1, faults: [wrong[2]], timeLimit: .seconds(30))
    #expect(drifting.complaints == [] && drifting.paid == 40)
  }
}
