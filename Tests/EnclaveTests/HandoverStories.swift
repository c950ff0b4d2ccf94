import Effects
import Messages
import Metering
import Roles
import Testing

/// An end moves to another edge under way: the packets of the epochs before go over the old one, those after over the
/// new one, and nothing is lost, doubled or counted twice in between.
struct HandoverStories {
  private func world(
    epochs: UInt64 = 6, isForTwo: Bool = true, packetsPerSecond: Int64 = 200,
    _ prepare: (FlowWorld) throws -> Void
  ) throws -> FlowWorld {
    let world = try FlowWorld(try FlowStories.terms(), epochs: epochs, isForTwo: isForTwo)
    try world.openService()
    try world.openSession(down: Traffic(packetsPerSecond: UInt64(packetsPerSecond), payloadBytes: 400))
    world.send(from: .enclave, packetsPerSecond: packetsPerSecond)
    if isForTwo { world.send(from: .farEnclave, packetsPerSecond: packetsPerSecond) }
    try prepare(world)
    try world.run(until: FlowWorld.start + .seconds(Int64(epochs) + 20))
    return world
  }

  private static func middle(of epoch: Int64) -> Instant { FlowWorld.start + .milliseconds(1000 * epoch + 500) }

  @Test(arguments: FlowEnd.allCases) func anEndMovesWithoutLossGapOrOverlap(end: FlowEnd) throws {
    let world = try world { world in
      world.at(Self.middle(of: 1)) { try world.handOver(end, to: .newEdge, from: 3) }
    }
    let record = try world.agreed()
    #expect(record.epochCounters.met == 6, "\(record.ruleCounters) \(world.counted)")
    #expect(world.records.allSatisfy { $0.missing.isEmpty })
    let oldEdge: FlowWorld.Actor = end == .near ? .edge : .farEdge
    let old = try world.receipts(of: oldEdge)
    let new = try world.receipts(of: .newEdge)
    #expect(old.map(\.epoch) == [0, 0, 1, 1, 2, 2])
    #expect(new.map(\.epoch) == [3, 3, 4, 4, 5, 5])
    #expect(old.map(\.terminal) == [false, false, false, false, true, true])
    #expect(new.allSatisfy { $0.cell == "new cell" })
    #expect(new.prefix(2).allSatisfy { $0.previous == .zero }, "a new edge begins its own chain")
    for direction in Direction.allCases {
      let last = try #require(old.last { $0.direction == direction }?.range)
      let first = try #require(new.first { $0.direction == direction }?.range)
      #expect(first.firstSequence == last.lastSequence + 1, "neither gap nor overlap")
    }
    let sender: FlowWorld.Actor = end == .near ? .enclave : .farEnclave
    #expect(try world.receipts(of: sender).map(\.cell).suffix(2) == ["new cell", "new cell"])
    #expect(world.delivered[.enclave, default: 0] >= 1190 && world.delivered[.farEnclave, default: 0] >= 1190)
  }

  /// One customer: the endpoint stays where it is, and so does the key; only the customer's end moves.
  @Test func aOneCustomerFlowKeepsItsEndpoint() throws {
    let world = try world(isForTwo: false) { world in
      world.at(Self.middle(of: 1)) { try world.handOver(.near, to: .newEdge, from: 3) }
    }
    let record = try world.agreed()
    #expect(record.epochCounters.met == 6, "\(record.ruleCounters) \(world.counted)")
    #expect(world.delivered[.enclave, default: 0] >= 1190)
    let anchored = try world.receipts(of: .edge).filter { $0.epoch >= 3 }.map(\.point)
    #expect(anchored == Array(repeating: [.endpointReceive, .endpointTransmit], count: 3).flatMap { $0 })
    #expect(try world.receipts(of: .newEdge).count == 6)
  }

  /// Both cars in one cell, then one goes ahead and comes back.
  @Test func anEdgeMayServeBothEndsAndAnEndMayComeBack() throws {
    let world = try world(epochs: 8) { world in
      world.at(Self.middle(of: 0)) { try world.handOver(.far, to: .edge, from: 2, cell: "cell") }
      world.at(Self.middle(of: 2)) { try world.handOver(.near, to: .newEdge, from: 4, other: .edge) }
      world.at(Self.middle(of: 4)) {
        // The anchor is told again that the near end is its own, and the far end where to find it.
        try world.accepted(.edge, .openService(world.service(.near, at: .edge, from: 6)))
        try world.route(.edge, to: .edge, from: 6)
        let handover = SliceHandover(
          activation: world.activation, end: .near, from: 6, cell: "cell",
          edge: try FlowWorld.Actor.edge.key.publicKey, plan: .zero)
        try world.update(
          .handover(handover, edge: FlowWorld.Actor.edge.address, port: nil),
          at: [.enclave, .farEnclave, .edge, .farEdge, .newEdge])
      }
    }
    let record = try world.agreed()
    #expect(record.epochCounters.met == 8, "\(record.ruleCounters) \(world.counted)")
    let both = try world.receipts(of: .edge).map { "\($0.epoch) \($0.point)" }
    #expect(both.filter { $0.hasPrefix("3 ") }.count == 4, "\(both)")
    #expect(both.filter { $0.hasPrefix("5 ") }.count == 2)
    #expect(both.filter { $0.hasPrefix("7 ") }.count == 4)
  }

  /// Whoever crashes around the handover comes back to the same bookings.
  @Test(arguments: FlowWorld.Actor.allCases) func aHandoverSurvivesACrash(of actor: FlowWorld.Actor) throws {
    let world = try world(epochs: 8, packetsPerSecond: 40) { world in
      world.at(Self.middle(of: 1)) { try world.handOver(.far, to: .newEdge, from: 3) }
      world.at(Self.middle(of: 4)) { world.crash(actor, for: .milliseconds(100)) }
    }
    let record = try world.agreed()
    let isOperators = actor == .edge || actor == .newEdge
    #expect(record.epochCounters.violated == (isOperators ? 1 : 0), "\(record.epochCounters) \(world.notes)")
    #expect(record.epochCounters.met == (isOperators ? 7 : 8))
    #expect(world.records.allSatisfy { $0.missing.isEmpty })
  }

  /// Whoever makes records keeps to those it has made.
  @Test func aHandoverOfRecordedEpochsIsRefused() throws {
    let world = try world { world in
      world.at(Self.middle(of: 4)) {
        let handover = SliceHandover(
          activation: world.activation, end: .far, from: 2, cell: "new cell",
          edge: try FlowWorld.Actor.newEdge.key.publicKey, plan: .zero)
        for actor in [FlowWorld.Actor.enclave, .edge] {
          try world.ask(
            actor, from: actor.isEdge ? FlowWorld.controller : actor.customer,
            .updateBooking(.handover(handover, edge: FlowWorld.Actor.newEdge.address, port: nil)))
          guard case .failure(let refusal)? = world.lastReply else {
            Issue.record("\(actor) took it")
            continue
          }
          #expect(refusal.code == .failedPrecondition)
        }
      }
    }
    let record = try world.agreed()
    #expect(record.epochCounters.met == 6)
  }
}
