import Ledger
import Messages
import Signing
import Testing

/// A block is an overlay on its parent; what the root commits to can be shown to anyone.
@Suite struct OverlayTests {
  @Test func twoChildrenNeverSeeEachOtherNorTouchTheirParent() throws {
    var world = try World()
    let contract = try world.deploy()
    let parent = world.state
    let root = parent.root
    let one = world.sign(.activate(world.order(contract)), by: "hospital treasury")
    let other = world.sign(.transfer(to: World.organisation("platoon"), amount: 5), by: "hospital treasury")
    let left = try parent.executing([one], in: world.next())
    let right = try parent.executing([other], in: world.next())
    #expect(left.state.root != right.state.root)
    #expect(parent.root == root)
    #expect(parent.activation(ActivationID(one.id)) == nil)
    #expect(right.state.activation(ActivationID(one.id)) == nil)
    #expect(right.state.balance(of: World.organisation("platoon")) == World.credit + 5)
    #expect(left.state.balance(of: World.organisation("platoon")) == World.credit)
    let again = try parent.executing([one], in: world.next())
    #expect(again.state.root == left.state.root)
    #expect(again.outcomes == left.outcomes)
  }

  @Test func accountsAreProvedPresentAndAbsent() throws {
    var world = try World()
    try world.block()
    let hospital = World.organisation("hospital")
    let key = LedgerKey.account(hospital)
    let shown = try world.state.proof(of: key).value(of: key, as: LedgerRecord.self, root: world.state.root)
    #expect(shown == world.state.account(hospital).map(LedgerRecord.account))
    let nobody = LedgerKey.account(World.organisation("nobody"))
    let proof = world.state.proof(of: nobody)
    #expect(try proof.value(of: nobody, root: world.state.root) == nil)
    #expect(throws: ProofError.self) { try proof.value(of: key, root: world.state.root) }
    #expect(throws: ProofError.self) { try proof.value(of: nobody, root: Digest(hashing: [1])) }
  }

  @Test func everyRecordReadsBackAsWritten() throws {
    var world = try World()
    let contract = try world.deploy()
    let maintenance = Maintenance(
      window: TimeWindow(from: world.state.time, to: world.state.time + .seconds(600)), cells: ["cell-1"])
    #expect(try world.send(.announceMaintenance(maintenance), by: "operator-0 controller") == .accepted)
    _ = try world.request(contract)
    let busy = try world.reserveFlow(contract, epochs: 50)
    let closing = try world.reserve(contract)
    try world.advance(to: world.state.time + .seconds(16))
    let record = world.signed(try world.record(closing, met: 3))
    #expect(try world.send(.settleByRecord(closing, record), by: "hospital treasury") == .accepted)
    // A segment more, a handover, demands and what came of them.
    for (action, author) in [
      (world.extend(world.segmentOrder(busy, contract)), "hospital treasury"),
      (world.handover(busy, from: 40), "operator-0 controller"),
      (world.demand(busy, by: .customer), "hospital treasury"),
      (world.post(busy, by: .networkOperator), "operator-0 controller"),
    ] {
      #expect(try world.send(action, by: author) == .accepted)
    }
    _ = try world.reserve(contract)
    let gone = try world.request(contract)
    #expect(try world.send(.terminate(gone), by: "hospital treasury") == .accepted)
    var kinds: Set<UInt8> = []
    world.state.tree.forEach(from: [], before: [0xFF]) { key, record in
      kinds.insert(key[0])
      #expect((try? LedgerRecord(decoding: record.encoded)) == record)
      return true
    }
    #expect(kinds.count == 15)
    for archived in world.archive {
      #expect(try ActivationRecord(decoding: archived.leaf) == archived.record)
    }
  }

  @Test func endedActivationsAreInTheLog() throws {
    var world = try World()
    let contract = try world.deploy()
    for _ in 0..<3 {
      let id = try world.request(contract)
      #expect(try world.send(.terminate(id), by: "hospital treasury") == .accepted)
      #expect(world.state.activation(id) == nil)
      #expect(world.state.ended(id)?.leafIndex == UInt64(world.archive.count - 1))
    }
    #expect(world.state.archive.root == MerkleTree.root(of: world.archive.map(\.leaf)))
  }

  @Test func listsGoOnWhereTheyStopped() throws {
    var world = try World()
    let contract = try world.deploy()
    let ids = try (0..<5).map { _ in try world.request(contract) }
    let first = world.state.activations(limit: 3).map(\.id)
    let rest = world.state.activations(after: first.last, limit: 3).map(\.id)
    #expect(first + rest == ids.sorted())
    #expect(world.state.account(named: "hospital")?.id == World.organisation("hospital"))
    #expect(world.state.accounts().count == 7)
    #expect(world.state.contracts().map(\.id) == [contract])
  }
}
