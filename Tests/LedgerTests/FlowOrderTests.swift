import Ledger
import Messages
import Signing
import Testing

/// A flow between two customers: who stands at the far end, and that its owner agreed to just this.
@Suite struct FlowOrderTests {
  private func world() throws -> (World, ContractID) {
    var world = try World()
    let contract = try world.deploy()
    try world.registerPeer()
    return (world, contract)
  }

  @Test(arguments: ["platoon device", "platoon treasury"])
  func aCountersignedOrderIsTheOrderersAlone(signer: String) throws {
    var (world, contract) = try world()
    let signed = world.signFlow(world.flowOrder(contract), consentBy: signer)
    #expect(try world.block([signed]) == [.accepted])
    let record = try #require(world.state.activation(ActivationID(signed.id)))
    #expect(record.customer == World.organisation("hospital"))
    #expect(world.balance("hospital") == World.credit - 107)
    #expect(world.balance("platoon") == World.credit)
  }

  @Test func consentIsForOneOrderInOneTransaction() throws {
    var (world, contract) = try world()
    let order = world.flowOrder(contract)
    func expect(_ code: TransactionResult, _ signed: SignedTransaction) throws {
      #expect(try world.block([signed]) == [code])
    }
    try expect(.permissionDenied, world.sign(.activate(order), by: "hospital treasury"))
    try expect(.permissionDenied, world.signFlow(order, consentBy: "platoon"))
    try expect(.permissionDenied, world.signFlow(order, consentBy: "hospital treasury"))
    try expect(.permissionDenied, world.signFlow(order, consentBy: "operator-0 controller"))
    try expect(.invalidArgument, world.signFlow(order) { $0.nonce += 1 })
    try expect(.invalidArgument, world.signFlow(order) { $0.expiry += 1 })
    try expect(.invalidArgument, world.signFlow(order) { $0.payer = World.key("hospital device").publicKey })
    let longer = world.flowOrder(contract, epochs: 11).consentDigest
    try expect(.invalidArgument, world.signFlow(order) { $0.order = longer })
    #expect(world.balance("hospital") == World.credit)
    #expect(world.state.activations().isEmpty)
  }

  @Test func theFarEndIsThePeersByName() throws {
    var (world, contract) = try world()
    func expect(_ code: TransactionResult, _ change: (inout ActivationOrder) -> Void) throws {
      var order = world.flowOrder(contract)
      change(&order)
      #expect(try world.block([world.signFlow(order)]) == [code])
    }
    try expect(.invalidArgument) { $0.peer = "robot" }
    try expect(.invalidArgument) { $0.peer = "hospital" }
    try expect(.invalidArgument) { $0.peerCell = nil }
    try expect(.serviceAreaNotSupported) { $0.peerCell = "elsewhere" }
    try expect(.attestationRejected) { $0.enclaves[1] = World.key("somebody's enclave").publicKey }
    try expect(.attestationRejected) { $0.enclaves.swapAt(0, 1) }
    try expect(.invalidArgument) { $0.enclaves[1] = $0.enclaves[0] }
    // What belongs to a far end alone.
    try expect(.invalidArgument) { $0.enclaves.removeLast() }
    var single = world.order(contract)
    single.peerCell = "pass"
    #expect(try world.send(.activate(single), by: "hospital treasury") == .invalidArgument)
    try expect(.accepted) { _ in }
  }

  @Test func whoOwnsBothEndsNeedsNobodysConsent() throws {
    var (world, _) = try world()
    var terms = World.terms(number: 2)
    terms.context.allowedPeers = ["hospital"]
    #expect(try world.send(.deployContract(terms), by: "operator-0 controller") == .accepted)
    let evidence = world.evidence(enclave: "second enclave")
    #expect(try world.send(.registerEnclave(evidence), by: "hospital device") == .accepted)
    var order = world.flowOrder(terms.id)
    order.peer = "hospital"
    order.enclaves[1] = World.key("second enclave").publicKey
    #expect(try world.block([world.signFlow(order)]) == [.invalidArgument])
    #expect(try world.send(.activate(order), by: "hospital treasury") == .accepted)
  }

  @Test func aSliceWithTwoEndsHasTwoEdges() throws {
    var (world, contract) = try world()
    let signed = world.signFlow(world.flowOrder(contract))
    #expect(try world.block([signed]) == [.accepted])
    let id = ActivationID(signed.id)
    func confirm(_ id: ActivationID, _ peerEdge: String?) throws -> TransactionResult {
      try world.send(.confirmSlice(world.confirmation(id, peerEdge: peerEdge)), by: "operator-0 controller")
    }
    #expect(try confirm(id, nil) == .invalidArgument)
    #expect(try confirm(id, "operator-1 edge") == .invalidArgument)
    #expect(try confirm(id, "operator-0 controller") == .invalidArgument)
    let single = try world.request(contract)
    #expect(try confirm(single, "operator-0 edge 2") == .invalidArgument)
    #expect(try confirm(single, nil) == .accepted)
    // One edge may serve both ends.
    #expect(try confirm(id, "operator-0 edge") == .accepted)
    let reservation = try #require(world.state.activation(id)?.reservation)
    #expect(reservation.edge(at: .far, in: 0) == World.key("operator-0 edge").publicKey)
    #expect(try #require(world.state.activation(single)?.reservation).edge(at: .far, in: 0) == nil)
  }

  /// The near enclave and the anchor edge sign for their sides; what the others signed is in the receipts.
  @Test func recordsAreTheAnchors() throws {
    var (world, contract) = try world()
    let id = try world.reserveFlow(contract)
    try world.start(id, epochs: 10)
    let record = try world.record(id, met: 9)
    func settle(_ enclave: String, _ edge: String) throws -> TransactionResult {
      let signed = world.signed(record, enclave: enclave, edge: edge)
      return try world.send(.settleByRecord(id, signed), by: "platoon treasury")
    }
    #expect(try settle("platoon enclave", "operator-0 edge") == .receiptMismatch)
    #expect(try settle("hospital enclave", "operator-0 edge 2") == .receiptMismatch)
    #expect(try settle("hospital enclave", "operator-0 edge") == .accepted)
  }
}
