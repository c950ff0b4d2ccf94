import Messages
import Testing
import Topology

@testable import Simulator

/// Schedules drawn from seeds, and made small when they fail.
@Suite struct ChaosTests {
  @Test(arguments: ChaosLevel.allCases) func aSeedIsASchedule(level: ChaosLevel) throws {
    let topology = try Topologies.shipped("platoon")
    let schedules = (1...20 as ClosedRange<UInt64>).map {
      Chaos.schedule(level, seed: $0, topology: topology, horizon: .seconds(12))
    }
    #expect(schedules[0] == Chaos.schedule(level, seed: 1, topology: topology, horizon: .seconds(12)))
    #expect(Set(schedules).count == 20)
    var checked = topology
    for schedule in schedules {
      checked.faults = schedule
      #expect(checked.validate().filter { $0.severity == .error } == [])
      // Everything ends.
      #expect(schedule.allSatisfy { $0.duration != nil })
    }
  }

  @Test(arguments: ChaosLevel.allCases, Seeds.few(4)) func membersKeepEveryPromise(level: ChaosLevel, seed: UInt64)
    throws
  {
    let members = try Members()
    let faults = Chaos.schedule(level, seed: seed, members: members.validators, horizon: .seconds(8))
    let world = members.world(seed: seed, faults: faults)
    _ = world.run(
      until: { [unowned world] in world.now > World.start + .seconds(8) && members.isSettled(world) },
      timeLimit: .seconds(240), eventLimit: 4_000_000)
    #expect(members.isSettled(world))
    // A member whose disk forgot counts as faulty; there are at most f.
    #expect(world.unreliable.count <= 1)
    let disks = members.validators.filter { !world.unreliable.contains($0) }.compactMap { world.disk($0) }
    let agreement = LedgerAgreement(genesis: members.genesis, disks: disks, at: world.now)
    #expect(agreement.violations.isEmpty && agreement.state?.account(named: Members.payee)?.balance == 40)
  }

  /// Whatever was drawn: every activation ends, and what differs from the plan is the faults' doing.
  @Test(arguments: ["platoon", "remote-surgery"], Seeds.few(2)) func theTopologyHolds(name: String, seed: UInt64) throws
  {
    let trial = Trial(try Topologies.quiet(name), chaos: .medium)
    let outcome = try trial.run(seed: seed)
    #expect(outcome.result.defects == [], "\(outcome.faults.map(\.yaml))")
  }

  @Test(arguments: 0..<64) func deltaDebuggingFindsTheOnesThatMatter(number: Int) {
    let actors = (0..<16).map { ActorAddress(.edge, "edge-\($0)") }
    let faults = actors.map { Fault.crash($0, at: .seconds(1), down: .seconds(1)) }
    var random = VirtualRandom(seed: UInt64(number))
    let guilty = Set(faults.filter { _ in random.below(6) == 0 })
    let small = Shrinking(faults, maximumReruns: 1_000) { guilty.isSubset(of: $0) }
    #expect(Set(small.faults) == guilty && !small.isCutShort)
    let hasty = Shrinking(faults, maximumReruns: 3) { guilty.isSubset(of: $0) }
    #expect(guilty.isSubset(of: hasty.faults) && hasty.reruns <= 3)
  }

  /// The customer that never comes back is the one that matters.
  @Test func aFailingScheduleIsMadeSmallAndStillFails() throws {
    let topology = try Topologies.quiet("remote-surgery")
    let fatal = Fault.crash(ActorAddress(.customer, "hospital"), at: .seconds(2), down: nil)
    let faults: [Fault] = [
      .crash(ActorAddress(.validator, "bravo"), at: .seconds(1), down: .milliseconds(300)),
      .isolate(ActorAddress(.regulator, "ofcom"), at: .seconds(1), during: .seconds(1)), fatal,
      .crash(ActorAddress(.validator, "ofcom"), at: .seconds(2), down: .milliseconds(300)),
    ]
    let small = try Shrinking(faults) { faults in
      try Simulation(topology: topology, seed: 1, faults: faults, timeLimit: .seconds(25)).run().ending != .satisfied
    }
    #expect(small.faults == [fatal])
  }
}
