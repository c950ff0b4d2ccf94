import Messages
import Testing

@testable import Simulator

/// Each actor of a running scenario dies once, in the middle of what it does.
@Suite struct CrashTests {
  /// Every actor of the hospital's operation. The operator's contract is named by its hash, which differs by seed.
  static let actors = [
    "validator/alpha", "validator/delta", "validator/ofcom", "regulator/ofcom", "controller/alpha", "edge/alpha-edge",
    "enclave/surgeon-console", "platform/surgeon-console", "customer/hospital",
  ]

  /// Before service begins, in the middle of it, and while the last records are exchanged.
  static let instants: [Span] = [.milliseconds(400), .milliseconds(5_250), .milliseconds(8_700)]

  @Test(arguments: actors, instants) func oneCrash(name: String, at: Span) throws {
    let actor = try #require(ActorAddress(name))
    let result = try Simulation(
      topology: Topologies.quiet("remote-surgery"), seed: 11, faults: [.crash(actor, at: at, down: .seconds(1))]
    ).run()
    #expect(result.defects == [])
    // An edge that is down counts nothing: its owner answers for those epochs (sla.md, epoch rule 6).
    expectOnlyTheGuiltyPay(result, operatorIsGuilty: actor.role == .edge)
    if [.validator, .regulator, .platform].contains(actor.role) {
      #expect(result.surprises == [], "\(result.summary)")
    }
  }

  /// Everybody whom a flow between two trucks needs, before the start and while the handover is made.
  static let platoon = [
    "validator/alpine", "controller/alpine", "domain/alpine-radio", "domain/alpine-transport", "edge/north-edge",
    "edge/south-edge", "enclave/cab-1", "enclave/cab-2-front", "customer/truck-1", "customer/truck-2",
  ]

  @Test(arguments: platoon, [.milliseconds(2_300), .milliseconds(5_550)] as [Span])
  func oneCrashOnThePass(name: String, at: Span) throws {
    let actor = try #require(ActorAddress(name))
    let result = try Simulation(
      topology: Topologies.quiet("platoon"), seed: 12, faults: [.crash(actor, at: at, down: .seconds(1))]
    ).run()
    #expect(result.defects == [])
    expectOnlyTheGuiltyPay(result, operatorIsGuilty: actor.role == .edge)
  }

  /// Whatever was durable last, the next life goes on from there.
  @Test(
    arguments: ["controller/alpha", "edge/alpha-edge", "enclave/surgeon-console", "customer/hospital"],
    [1, 3, 8] as [UInt64])
  func aCrashAfterARecord(name: String, count: UInt64) throws {
    let actor = try #require(ActorAddress(name))
    let result = try Simulation(
      topology: Topologies.quiet("remote-surgery"), seed: count,
      faults: [.crashAfterPersist(actor, count: count, down: .milliseconds(300))]
    ).run()
    #expect(result.defects == [])
    expectOnlyTheGuiltyPay(result, operatorIsGuilty: actor.role == .edge)
  }
}
