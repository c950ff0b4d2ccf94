import Effects
import Messages
import Metering
import Roles
import Testing

/// Everything at once: two customers, both ends moving, an extension, a bad control link and crashes.
struct TroubledStories {
  @Test(arguments: 1...12) func theAccountIsCompletedAndNobodyContradictsItself(seed: UInt64) throws {
    let world = try FlowWorld(try FlowStories.terms(), epochs: 6, isForTwo: true, seed: seed)
    try world.openService()
    try world.openSession()
    world.send(from: .enclave, packetsPerSecond: 20, epochs: 9)
    world.send(from: .farEnclave, packetsPerSecond: 20, epochs: 9)
    world.control.loss = 50
    world.control.duplicates = 100
    world.at(FlowWorld.start + .milliseconds(1_200)) { try world.handOver(.near, to: .newEdge, from: 3) }
    world.at(FlowWorld.start + .milliseconds(2_200)) {
      let order = SegmentOrder(
        activation: world.activation, index: 1, contract: world.terms.id, epochs: 3, plan: .zero, expiry: 0)
      try world.update(
        .segment(order, world.terms, from: 6), at: [.enclave, .farEnclave, .edge, .farEdge, .newEdge])
    }
    world.at(FlowWorld.start + .milliseconds(3_200)) {
      try world.handOver(.far, to: .edge, from: 5, cell: "cell", other: .newEdge)
      // The new near edge hears of the move as well.
      try world.route(.newEdge, to: .edge, from: 5)
      try world.update(
        .handover(
          SliceHandover(
            activation: world.activation, end: .far, from: 5, cell: "cell",
            edge: try FlowWorld.Actor.edge.key.publicKey, plan: .zero), edge: FlowWorld.Actor.edge.address, port: nil),
        at: [.newEdge])
    }
    var moment = seed &* 0x9E37_79B9_7F4A_7C15
    for _ in 0..<3 {
      moment = moment &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let actor = FlowWorld.Actor.allCases[Int(moment >> 40 % 5)]
      let after = Span.milliseconds(3_300 + Int64(moment >> 20 % 6_000))
      world.at(FlowWorld.start + after) { world.crash(actor, for: .milliseconds(Int64(moment >> 33 % 300))) }
    }
    try world.run(until: FlowWorld.start + .seconds(60))
    let record = try world.agreed(epochs: 9)
    let counters = record.segments.map(\.epochCounters)
    #expect(counters.map(\.checkedTotal) == [6, 3])
    #expect(counters.allSatisfy { $0.contested == 0 }, "\(counters) \(world.counted)")
    #expect(Set(world.records.map(\.epoch)).count == 9 && world.records.count == 9, "one record per epoch")
    for name in [
      "edge.receipts.refused", "enclave.receipts.refused", "enclave.exchange.refused", "edge.packets.unrouted",
    ] { #expect(world.counted[name] == nil, "\(name)") }
    // Each point's receipts follow one another, whoever stood there and however often it crashed.
    for actor in FlowWorld.Actor.allCases {
      var last: [MeteredPoint: SLAReceipt] = [:]
      for receipt in try world.receipts(of: actor) {
        let before = last.updateValue(receipt, forKey: receipt.meteredPoint)
        let follows = before.map { receipt.previous == $0.digest || receipt.previous == .zero } ?? true
        #expect(follows && before?.epoch ?? 0 <= receipt.epoch)
      }
    }
  }
}
