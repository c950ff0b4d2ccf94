import Ledger
import Messages
import Signing
import Testing

/// consensus.md, rule 2: what a block may and must carry.
@Suite struct InclusionTests {
  private func transfer(_ amount: Amount = 1) -> Action {
    .transfer(to: World.organisation("platoon"), amount: amount)
  }

  @Test func aTransactionExecutesOnce() throws {
    var world = try World()
    let signed = world.sign(transfer(), by: "hospital treasury")
    #expect(world.state.isIncludable(signed))
    try world.block([signed])
    #expect(world.state.inclusionDefect(of: signed) == .nonceUsed)
    #expect(throws: ExecutionError.invalidBlock(.notIncludable(0, .nonceUsed))) { try world.block([signed]) }
    // Not even under another expiry: the nonce is what counts.
    let again = SignedTransaction(
      signing: Transaction(
        nonce: signed.transaction.nonce, expiry: signed.transaction.expiry + 1, action: transfer(2)),
      with: World.key("hospital treasury"), network: world.genesis.networkID)
    #expect(world.state.inclusionDefect(of: again) == .nonceUsed)
    #expect(world.balance("platoon") == World.credit + 1)
  }

  @Test func twiceInOneBlockIsNoBlock() throws {
    var world = try World()
    let signed = world.sign(transfer(), by: "hospital treasury")
    #expect(throws: ExecutionError.invalidBlock(.notIncludable(1, .nonceUsed))) {
      try world.block([signed, signed])
    }
    #expect(world.state.select(from: [signed, signed]) == [signed])
  }

  @Test func aRefusedTransactionUsesItsNonce() throws {
    var world = try World()
    let signed = world.sign(transfer(World.credit + 1), by: "hospital treasury")
    #expect(try world.block([signed]) == [.failedPrecondition])
    #expect(world.state.inclusionDefect(of: signed) == .nonceUsed)
    #expect(world.balance("hospital") == World.credit)
  }

  @Test func aNonceIsFreeAfterItsExpiryAndForgotten() throws {
    var world = try World()
    let entries = world.state.tree.count
    let signed = world.sign(transfer(), by: "hospital treasury", expiry: 3)
    try world.block([signed])
    try world.block()
    #expect(world.state.tree.count > entries)
    try world.block()
    #expect(world.state.tree.count == entries)
    #expect(world.state.inclusionDefect(of: signed) == .expired)
    let reused = SignedTransaction(
      signing: Transaction(nonce: signed.transaction.nonce, expiry: 10, action: transfer()),
      with: World.key("hospital treasury"), network: world.genesis.networkID)
    #expect(try world.block([reused]) == [.accepted])
  }

  @Test func expiriesAreBounded() throws {
    var world = try World()
    let furthest = world.sign(transfer(), by: "hospital treasury", expiry: 1 + Transaction.maximumLifetime)
    let tooFar = world.sign(transfer(), by: "hospital treasury", expiry: 2 + Transaction.maximumLifetime)
    #expect(world.state.isIncludable(furthest))
    #expect(world.state.inclusionDefect(of: tooFar) == .expiryTooFar)
    #expect(world.state.inclusionDefect(of: world.sign(transfer(), by: "nobody")) == .signerNotEnrolled)
  }

  @Test func theQuotaIsTheOrganisationsAndEndingsHaveTheirRoom() throws {
    var parameters = NetworkParameters.standard
    parameters.blockTransactions = 8
    parameters.senderQuota = 4
    var world = try World(parameters: parameters)
    let contract = try world.deploy()
    let ids = [try world.request(contract), try world.request(contract)]
    // Five of one organisation: one too many.
    var candidates = (0..<5).map { _ in world.sign(transfer(), by: "hospital treasury") }
    #expect(world.state.select(from: candidates).count == 4)
    // Four of a second: six ordinary ones fit, two places are kept.
    candidates += (0..<4).map { _ in
      world.sign(.transfer(to: World.organisation("hospital"), amount: 1), by: "platoon treasury")
    }
    #expect(world.state.select(from: candidates).count == 6)
    let endings = ids.map { world.sign(.terminate($0), by: "hospital treasury") }
    let selected = world.state.select(from: candidates + endings)
    #expect(selected.count == 8)
    #expect(selected.suffix(2) == endings[...])
    // A second one of the same kind for the same activation is an ordinary one.
    let twice = endings + [world.sign(.terminate(ids[0]), by: "hospital treasury")]
    #expect(world.state.select(from: candidates + twice).count == 8)
    let results = try world.block(selected)
    #expect(results.allSatisfy { $0 == .accepted })
  }

  @Test func aStrangersSettleTakesNoKeptRoom() throws {
    var parameters = NetworkParameters.standard
    parameters.blockTransactions = 4
    var world = try World(parameters: parameters)
    let id = try world.request(try world.deploy())
    let candidates = (0..<4).map { _ in world.sign(.terminate(id), by: "platoon treasury") }
    #expect(world.state.select(from: candidates).count == 3)
  }

  /// Whoever must answer by a deadline finds room, however full the block is; whoever asks waits for ordinary room.
  @Test func answersAndDisputesHaveTheirRoom() throws {
    var parameters = NetworkParameters.standard
    parameters.blockTransactions = 16
    parameters.senderQuota = 16
    var world = try World(parameters: parameters)
    let id = try world.request(try world.deploy())
    let flood = (0..<16).map { _ in world.sign(transfer(), by: "hospital treasury") }
    #expect(world.state.select(from: flood).count == 12)
    let proof = ServiceProof(activation: id, receipts: ReceiptSet([]), record: nil)
    let urgent = [
      world.sign(.startService(proof), by: "operator-0 controller"),
      world.sign(world.post(id, by: .networkOperator), by: "operator-0 controller"),
      world.sign(world.contradiction(id), by: "operator-0 controller"),
      world.sign(.settleByRecord(id, nil), by: "operator-0 controller"),
    ]
    #expect(world.state.select(from: flood + urgent).suffix(4) == urgent[...])
    let ordinary = [
      world.sign(.demandService(id), by: "hospital treasury"),
      world.sign(world.demand(id, by: .customer), by: "hospital treasury"),
      world.sign(world.handover(id, from: 4), by: "operator-0 controller"),
      world.sign(world.extend(world.segmentOrder(id, World.terms().id)), by: "platoon treasury"),
    ]
    #expect(world.state.select(from: flood + ordinary).count == 12)
    // Nor for a stranger's.
    let strange = [world.sign(world.post(id, by: .networkOperator), by: "platoon treasury")]
    #expect(world.state.select(from: flood + strange).count == 12)
  }

  @Test func blocksThatNoHonestLeaderProposes() throws {
    var world = try World()
    var context = world.next()
    context.height += 1
    #expect(throws: ExecutionError.invalidBlock(.wrongHeight(expected: 1))) {
      try world.state.executing([], in: context)
    }
    #expect(throws: ExecutionError.invalidBlock(.timeNotAfterParent)) { try world.block(after: .zero) }
    // Member 4 is the regulator.
    #expect(throws: ExecutionError.invalidBlock(.leaderMayNotLead)) { try world.block(leader: 4) }
    #expect(throws: ExecutionError.invalidBlock(.leaderMayNotLead)) { try world.block(leader: 5) }
  }
}
