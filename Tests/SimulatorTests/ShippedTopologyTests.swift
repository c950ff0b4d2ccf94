import Messages
import Testing

@testable import Simulator

/// What is shipped does in virtual time what its `expect:` says, whatever the seed and the control network.
@Suite struct ShippedTopologyTests {
  static let names = ["remote-surgery", "congested", "platoon"]

  @Test(arguments: names, Seeds.few(3)) func calm(name: String, seed: UInt64) throws {
    let result = try Simulation(topology: Topologies.shipped(name), seed: seed).run()
    #expect(result.defects == [])
    #expect(result.surprises == [], "\(result.summary)")
    #expect(result.membersAgree && result.money?.escrows == 0 && result.money?.bonds == 0)
  }

  /// Lost messages cost time, so who comes first and how many epochs are served may change, and an operator whose own
  /// order to its edge is late answers for it. That everything ends and where the money is may not change.
  @Test(arguments: names, Seeds.few(4)) func lossy(name: String, seed: UInt64) throws {
    let result = try Simulation(topology: Topologies.shipped(name), seed: seed, conditions: .lossy).run()
    #expect(result.defects == [])
    expectOnlyTheGuiltyPay(result, operatorIsGuilty: true)
  }

  /// `spread.yaml` is the platoon in other places, and a simulation has only one place.
  @Test func spreadIsThePlatoon() throws {
    let here = try Simulation(topology: Topologies.quiet("platoon"), seed: 5).run()
    let there = try Simulation(topology: Topologies.quiet("spread"), seed: 5).run()
    #expect(here.events == there.events && here.summary == there.summary)
  }

  /// The first forty of the thousand; all of them are a matter of minutes.
  @Test func population() throws {
    var topology = try Topologies.shipped("population")
    topology.customers.removeLast(topology.customers.count - 40)
    let result = try Simulation(topology: topology, seed: 1).run()
    #expect(result.defects == [])
    #expect(result.surprises == [], "\(result.summary)")
  }

  @Test func oneSeedIsOneHistory() throws {
    let topology = try Topologies.shipped("remote-surgery")
    let first = try Simulation(topology: topology, seed: 9, conditions: .lossy).run()
    let second = try Simulation(topology: topology, seed: 9, conditions: .lossy).run()
    let other = try Simulation(topology: topology, seed: 10, conditions: .lossy).run()
    #expect(first.traceHash == second.traceHash && first.events == second.events)
    #expect(first.traceHash != other.traceHash)
  }

  /// R1. Swift seeds its hashing per process: a core that iterates a Set or Dictionary for what it says shows here.
  @Test(arguments: names) func historyIsTheSameInAnotherProcess(name: String) async throws {
    let here = try Simulation(topology: Topologies.quiet(name), seed: 4, conditions: .lossy).run()
    let other = try await #require(processExitsWith: .success, observing: [\.standardOutputContent]) { [name] in
      let there = try Simulation(topology: Topologies.quiet(name), seed: 4, conditions: .lossy).run()
      print("\(there.traceHash) after \(there.events) events")
    }
    let output = String(decoding: other.standardOutputContent, as: UTF8.self)
    #expect(output.contains("\(here.traceHash) after \(here.events) events"))
  }

  @Test func anUnknownActorCannotFail() throws {
    let topology = try Topologies.shipped("remote-surgery")
    let nowhere = ActorAddress(.edge, "nowhere")
    let fault = Fault.crash(nowhere, at: .seconds(1), down: .seconds(1))
    #expect(throws: Simulation.UnknownActor(pattern: .init(nowhere))) {
      try Simulation(topology: topology, seed: 1, faults: [fault]).run()
    }
  }
}
