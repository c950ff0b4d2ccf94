import Effects
import Messages
import Metering
import Roles
import Testing

/// A flow between two customers: two enclaves, two edges, four points in each direction.
struct TwoCustomerStories {
  /// Both applications send all the time.
  private func world(
    epochs: UInt64 = 6, impairments: [FlowWorld.Actor: PathImpairment] = [:], maintenance: [TimeWindow] = [],
    seed: UInt64 = 1, packetsPerSecond: Int64 = 100, _ prepare: (FlowWorld) throws -> Void = { _ in }
  ) throws -> FlowWorld {
    let world = try FlowWorld(
      try FlowStories.terms(), epochs: epochs, isForTwo: true, impairments: impairments, maintenance: maintenance,
      seed: seed)
    try world.openService()
    try world.openSession()
    world.send(from: .enclave, packetsPerSecond: packetsPerSecond)
    world.send(from: .farEnclave, packetsPerSecond: packetsPerSecond)
    try prepare(world)
    try world.run(until: FlowWorld.start + .seconds(60))
    return world
  }

  private static func lossy(_ perMille: UInt64) -> FlowWorld.Link {
    FlowWorld.Link(loss: perMille, delay: .microseconds(200))
  }

  @Test func sixCleanEpochsAreMetInBothDirections() throws {
    let world = try world(packetsPerSecond: 200)
    let record = try world.agreed()
    #expect(record.epochCounters.met == 6, "\(record.ruleCounters) \(world.notes)")
    #expect(record.ruleCounters.map(\.met) == [6, 6, 6, 6, 6, 6])
    #expect(world.records.allSatisfy { $0.missing.isEmpty })
    #expect(world.delivered[.enclave, default: 0] >= 1190)
    #expect(world.delivered[.farEnclave, default: 0] >= 1190)
    #expect(world.counted == [:], "nothing was refused")
    let phase = try world.status(of: .farEnclave)?.phase
    #expect(phase == .finished)
    // The probe went through two edges and the echo came back through both.
    let trips = try world.receipts(of: .enclave).filter { $0.point == .enclaveReceive }.compactMap(\.roundTrips)
    #expect(trips.count == 6)
    for trip in trips {
      #expect(trip.probes == 4)
      #expect(trip.summary?.minimum ?? 0 >= 8_000_000, "twice the path")
    }
  }

  /// Each end's receipts carry its cell.
  @Test func everyPointSaysItsCell() throws {
    let world = try world(packetsPerSecond: 20)
    for (actor, cell) in [
      (FlowWorld.Actor.enclave, "cell"), (.edge, "cell"), (.farEnclave, "far cell"), (.farEdge, "far cell"),
    ] {
      let receipts = try world.receipts(of: actor)
      #expect(receipts.count == 12, "two points, six epochs")
      #expect(receipts.allSatisfy { $0.cell == cell }, "\(actor)")
      #expect(receipts.filter(\.terminal).map(\.epoch) == [5, 5])
    }
  }

  // MARK: Loss and who is to blame

  @Test(arguments: [FlowWorld.Actor.edge, .farEdge]) func lossInTheCoreIsTheOperators(at edge: FlowWorld.Actor) throws {
    let isUp = edge == .edge
    let record = try world(impairments: [edge: PathImpairment(loss: 80_000_000)]).agreed()
    #expect(record.ruleCounters[isUp ? 0 : 2].violated == 6)
    #expect(record.ruleCounters[isUp ? 2 : 0].met == 6)
    #expect(record.amountDue == 0)
  }

  enum Access: CaseIterable {
    case nearUp, nearDown, farUp, farDown

    /// Of the loss rules.
    var rule: Int { self == .nearUp || self == .farDown ? 0 : 2 }
  }

  /// Before the first edge and behind the last one, loss is nobody's for certain.
  @Test(arguments: Access.allCases) func lossOnAnAccessSegmentIsContested(_ access: Access) throws {
    let record = try world { world in
      switch access {
      case .nearUp: world.ascent[.enclave] = Self.lossy(80)
      case .nearDown: world.descent[.enclave] = Self.lossy(80)
      case .farUp: world.ascent[.farEnclave] = Self.lossy(80)
      case .farDown: world.descent[.farEnclave] = Self.lossy(80)
      }
    }.agreed()
    #expect(record.ruleCounters[access.rule].contested == 6)
    #expect(record.ruleCounters[2 - access.rule].met == 6)
    #expect(record.ruleCounters.allSatisfy { $0.violated == 0 })
    #expect(record.epochCounters.contested == 6)
  }

  @Test func lossBetweenTheEdgesIsTheOperators() throws {
    let record = try world { $0.core.loss = 80 }.agreed()
    #expect(record.ruleCounters[0].violated == 6)
    #expect(record.ruleCounters[2].violated == 6)
    #expect(record.epochCounters.contested == 0)
  }

  // MARK: Peers

  /// A platoon, not the Internet: what is for others is dropped at the edge, counted, and nobody's loss.
  @Test(arguments: [FlowWorld.Actor.enclave, .farEnclave])
  func packetsForOthersAreDroppedAndCounted(sender: FlowWorld.Actor) throws {
    let world = try world { $0.send(from: sender, to: .stranger, packetsPerSecond: 50) }
    let record = try world.agreed()
    #expect(record.epochCounters.met == 6, "\(record.ruleCounters)")
    let edge: FlowWorld.Actor = sender == .enclave ? .edge : .farEdge
    let dropped = try world.receipts(of: edge).filter { $0.point == .edgeIngress }.map(\.counts.droppedByPolicy)
    #expect(dropped.allSatisfy { (49...51).contains($0) }, "\(dropped)")
    let other: FlowWorld.Actor = sender == .enclave ? .farEnclave : .enclave
    #expect(world.delivered[other, default: 0] <= 600)
  }

  // MARK: Silence and crashes

  @Test func aSilentFarEnclaveIsNamedAndCountsAgainstTheCustomer() throws {
    let world = try world { world in
      world.at(FlowWorld.start + .milliseconds(2_500)) { world.silent = [.farEnclave] }
    }
    let record = try world.agreed()
    let far = try FlowWorld.Actor.farEnclave.key.publicKey
    #expect(world.records.map(\.missing) == [[], [], [far], [far], [far], [far]])
    #expect(record.epochCounters.met == 6, "paid as if it had been met")
    #expect(record.penaltiesDue == 0)
    #expect(world.counted["enclave.receipts.missing"] == 4)
  }

  @Test func aSilentFarEdgeIsNamedAndCountsAgainstTheOperator() throws {
    let world = try world { world in
      world.at(FlowWorld.start + .milliseconds(2_500)) { world.silent = [.farEdge] }
    }
    let record = try world.agreed()
    let far = try FlowWorld.Actor.farEdge.key.publicKey
    #expect(world.records.map(\.missing) == [[], [], [far], [far], [far], [far]])
    #expect(record.epochCounters.met == 2)
    #expect(record.epochCounters.violated == 4)
    #expect(record.amountDue == 200)
  }

  @Test func receiptsThatComeAgainAreCollected() throws {
    let world = try world { world in
      world.at(FlowWorld.start + .milliseconds(2_500)) { world.silent = [.farEnclave, .farEdge] }
      world.at(FlowWorld.start + .milliseconds(3_500)) { world.silent = [] }
    }
    _ = try world.agreed()
    #expect(world.records.map(\.missing.count) == [0, 0, 2, 0, 0, 0], "a missing receipt breaks no chain")
  }

  @Test(arguments: [FlowWorld.Actor.enclave, .farEnclave, .edge, .farEdge])
  func aCrashIsBorneByItsOwner(of actor: FlowWorld.Actor) throws {
    let world = try world { world in
      world.at(FlowWorld.start + .milliseconds(2_400)) { world.crash(actor, for: .milliseconds(200)) }
    }
    let record = try world.agreed()
    #expect(record.epochCounters.checkedTotal == 6)
    #expect(record.epochCounters.met == (actor.isEdge ? 5 : 6), "\(record.ruleCounters) \(world.notes)")
    #expect(record.epochCounters.violated == (actor.isEdge ? 1 : 0))
  }

  /// Whoever crashes whenever, nobody contradicts itself and the account is completed.
  @Test(arguments: 1...16) func crashesAtAnyMomentContradictNothing(seed: UInt64) throws {
    let world = try world(seed: seed, packetsPerSecond: 20) { world in
      world.control.loss = 100
      world.control.duplicates = 100
      var moment = seed &* 0x9E37_79B9_7F4A_7C15
      for _ in 0..<4 {
        moment = moment &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let actor = FlowWorld.Actor.allCases[Int(moment >> 60 & 3)]
        let after = Span.milliseconds(Int64(moment >> 20 % 8_000))
        world.at(FlowWorld.start + after) { world.crash(actor, for: .milliseconds(Int64(moment >> 33 % 300))) }
      }
    }
    let record = try world.agreed()
    #expect(record.epochCounters.checkedTotal == 6)
    #expect(record.epochCounters.contested == 0, "\(record.ruleCounters)")
    #expect(Set(world.records.map(\.epoch)).count == world.records.count, "one record per epoch")
    #expect(world.counted["edge.receipts.refused"] == nil && world.counted["enclave.receipts.refused"] == nil)
  }

  // MARK: Gates, maintenance, advance booking

  /// The far edge holds the gate as well, and opens it with the anchor's word.
  @Test func withoutRecordsNeitherEdgeServes() throws {
    let world = try world(epochs: 12, packetsPerSecond: 40) { world in
      world.control.cut = FlowWorld.start + .milliseconds(900)..<FlowWorld.start + .milliseconds(3_500)
    }
    let record = try world.agreed()
    #expect(record.epochCounters.notServed >= 2)
    #expect(record.epochCounters.violated == 0 && record.epochCounters.contested == 0, "\(record.epochCounters)")
    let gated = try world.receipts(of: .farEdge).filter { $0.condition == .gated }
    #expect(gated.contains { $0.point == .edgeIngress && $0.counts.droppedByPolicy > 0 })
  }

  @Test func anEpochUnderMaintenanceIsNeitherJudgedNorPaid() throws {
    let window = TimeWindow(
      from: FlowWorld.start + .milliseconds(2_500), to: FlowWorld.start + .milliseconds(3_500))
    let world = try world(maintenance: [window]) { world in
      world.at(window.from) { world.core.loss = 1000 }
      world.at(window.to) { world.core.loss = 0 }
    }
    let record = try world.agreed()
    #expect(record.epochCounters.notServed == 2)
    #expect(record.epochCounters.met == 4, "\(record.ruleCounters)")
    #expect(record.amountDue == 400)
  }

  @Test func bookedAWeekAheadItWaits() throws {
    let world = try FlowWorld(try FlowStories.terms(), isForTwo: true)
    world.now = FlowWorld.start - .seconds(7 * 86_400)
    try world.openSession()
    // The controller opens the service only an hour before.
    world.at(FlowWorld.start - .seconds(3_600)) { try world.openService() }
    world.send(from: .enclave, packetsPerSecond: 40)
    world.at(FlowWorld.start - .seconds(60)) {
      for enclave in world.enclaves {
        let phase = try world.status(of: enclave)?.phase
        #expect(phase == .ready)
      }
    }
    try world.run(until: FlowWorld.start + .seconds(20))
    let record = try world.agreed()
    #expect(record.epochCounters.met == 6)
  }
}
