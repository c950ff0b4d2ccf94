import Effects
import Messages
import Metering
import Roles
import Signing
import Testing

/// Extend and Renegotiate: more epochs, or other terms, while a flow runs.
struct AmendmentStories {
  private func segment(
    _ world: FlowWorld, _ terms: ContractTerms, epochs: UInt64, from: EpochNumber, index: UInt64 = 1
  ) -> BookingUpdate {
    .segment(
      SegmentOrder(
        activation: world.activation, index: index, contract: terms.id, epochs: epochs, plan: .zero, expiry: 0),
      terms, from: from)
  }

  private func world(isForTwo: Bool, sendingFor epochs: UInt64) throws -> FlowWorld {
    let world = try FlowWorld(try FlowStories.terms(), epochs: 4, isForTwo: isForTwo)
    try world.openService()
    try world.openSession(down: Traffic(packetsPerSecond: 100, payloadBytes: 400))
    world.send(from: .enclave, packetsPerSecond: 100, epochs: epochs)
    if isForTwo { world.send(from: .farEnclave, packetsPerSecond: 100, epochs: epochs) }
    return world
  }

  @Test(arguments: [false, true]) func anExtensionGoesOnWhereTheBookingEnded(isForTwo: Bool) throws {
    let world = try world(isForTwo: isForTwo, sendingFor: 7)
    world.at(FlowWorld.start + .milliseconds(2_500)) {
      try world.update(segment(world, world.terms, epochs: 3, from: 4), at: world.enclaves + world.edges)
    }
    try world.run(until: FlowWorld.start + .seconds(20))
    let record = try world.agreed(epochs: 7)
    #expect(record.segments.map(\.epochCounters.met) == [4, 3], "\(record.segments)")
    #expect(record.amountDue == 700)
    let terminal = try world.receipts(of: .enclave).filter(\.terminal).map(\.epoch)
    #expect(terminal == [6, 6])
  }

  /// Other terms from the middle of the booking on: a rule that is stricter, a rate that is higher.
  @Test(arguments: [false, true]) func aRenegotiationCutsTheRunningSegment(isForTwo: Bool) throws {
    let world = try world(isForTwo: isForTwo, sendingFor: 5)
    var terms = world.terms
    terms.deploymentNumber += 1
    terms.rules = Array(terms.rules.prefix(3))
    terms.money.pricePerEpoch = 500
    world.at(FlowWorld.start + .milliseconds(1_500)) {
      try world.update(segment(world, terms, epochs: 2, from: 3), at: world.enclaves + world.edges)
    }
    try world.run(until: FlowWorld.start + .seconds(20))
    let record = try world.agreed(epochs: 5)
    #expect(record.segments.map(\.epochCounters.met) == [3, 2])
    #expect(record.segments.map(\.ruleCounters.count) == [6, 3])
    #expect(record.amountDue == 3 * 100 + 2 * 500)
  }

  /// The sender may use a new segment's rate from its first epoch on, and not before; the slice carries it.
  @Test func theRateIsTheSegments() throws {
    let world = try FlowWorld(try FlowStories.terms(), epochs: 4)
    try world.openService(rate: 2_500_000)
    try world.openSession(down: .silent)
    // 3.2 Mbit/s where 2 were bought; 4 are bought from epoch 2 on.
    world.send(from: .enclave, packetsPerSecond: 1000, epochs: 4)
    var terms = world.terms
    terms.deploymentNumber += 1
    terms.service.maximumUp = 4_000_000
    terms.service.guaranteedUp = 4_000_000
    world.at(FlowWorld.start + .milliseconds(500)) {
      try world.update(segment(world, terms, epochs: 2, from: 2), at: [.enclave, .edge])
    }
    try world.run(until: FlowWorld.start + .seconds(20))
    let record = try world.agreed(epochs: 4)
    #expect(record.segments[1].epochCounters.met == 2, "\(record.segments)")
    let dropped = try world.receipts(of: .enclave).filter { $0.point == .enclaveTransmit }.map(\.counts.droppedByPolicy)
    #expect(dropped[1] > 300 && dropped[2] == 0 && dropped[3] == 0, "\(dropped)")
  }

  @Test(arguments: [FlowWorld.Actor.enclave, .farEnclave, .edge, .farEdge])
  func anExtensionSurvivesACrash(of actor: FlowWorld.Actor) throws {
    let world = try world(isForTwo: true, sendingFor: 7)
    world.at(FlowWorld.start + .milliseconds(2_500)) {
      try world.update(segment(world, world.terms, epochs: 3, from: 4), at: world.enclaves + world.edges)
    }
    world.at(FlowWorld.start + .milliseconds(4_500)) { world.crash(actor, for: .milliseconds(50)) }
    try world.run(until: FlowWorld.start + .seconds(20))
    let record = try world.agreed(epochs: 7)
    #expect(record.segments[0].epochCounters.met == 4)
    #expect(record.segments[1].epochCounters.met == (actor.isEdge ? 2 : 3), "\(record.segments)")
  }

  /// It reached one side only when the booking had ended: what that side did not count is its own doing.
  @Test func anExtensionThatComesLateIsInterrupted() throws {
    let world = try world(isForTwo: false, sendingFor: 7)
    let extension_ = segment(world, world.terms, epochs: 3, from: 4)
    world.at(FlowWorld.start + .milliseconds(2_500)) { try world.update(extension_, at: [.edge]) }
    world.at(FlowWorld.start + .milliseconds(4_500)) { try world.update(extension_, at: [.enclave]) }
    try world.run(until: FlowWorld.start + .seconds(20))
    let record = try world.agreed(epochs: 7)
    #expect(record.segments[1].epochCounters.met == 3, "borne by the customer: as if met")
    #expect(try world.receipts(of: .enclave).filter { $0.condition == .interrupted }.map(\.epoch) == [4, 4])
  }

  @Test func nonsenseIsRefused() throws {
    let world = try world(isForTwo: false, sendingFor: 4)
    try world.run(until: FlowWorld.start + .milliseconds(1_500))
    var faster = world.terms
    faster.metering.epoch = .milliseconds(500)
    for update in [
      segment(world, world.terms, epochs: 3, from: 9), segment(world, world.terms, epochs: 3, from: 4, index: 3),
      segment(world, faster, epochs: 3, from: 4), segment(world, world.terms, epochs: .max, from: 4),
    ] {
      for (actor, asker) in [
        (FlowWorld.Actor.enclave, FlowWorld.Actor.enclave.customer), (.edge, FlowWorld.controller),
      ] {
        guard case .failure(let refusal)? = try world.ask(actor, from: asker, .updateBooking(update)) else {
          Issue.record("\(actor) took \(update)")
          continue
        }
        #expect(refusal.code == .failedPrecondition)
      }
    }
  }
}
