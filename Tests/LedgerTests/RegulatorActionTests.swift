import Ledger
import Messages
import Signing
import Testing

/// sla.md, RegulatorAction: together, with a reason, and within the network's bounds; alone, nothing.
@Suite struct RegulatorActionTests {
  private static let freeze = Span.seconds(120)

  private static func world(_ change: (inout NetworkParameters) -> Void = { _ in }) throws -> World {
    var parameters = NetworkParameters.standard
    parameters.maximumFreeze = Self.freeze
    change(&parameters)
    return try World(regulators: 2, parameters: parameters)
  }

  private static func action(
    _ measure: RegulatorMeasure, _ world: World, reason: String = "complaint 17", expiry: Height = 500,
    by names: [String] = ["regulator", "regulator-1"]
  ) -> Action {
    let order = RegulatorOrder(measure: measure, reason: reason, expiry: expiry)
    return .regulatorAction(
      approvals: names.map {
        Envelope(signing: order, with: World.key("\($0) validator"), network: world.genesis.networkID)
      })
  }

  @Test func aRegulatorThatActsAloneIsRefusedAndOnRecord() throws {
    var world = try Self.world()
    let contract = try world.deploy()
    let alone = Self.action(.suspendContract(contract), world, by: ["regulator"])
    let signed = world.sign(alone, by: "regulator validator")
    // It stands in the block with its code, under its name: that is the record.
    #expect(try world.block([signed]) == [.permissionDenied])
    #expect(world.state.contract(contract)?.isOpen == true)
    #expect(world.state.measures().isEmpty)
    for names in [["regulator", "regulator"], ["regulator", "operator-0"], []] {
      let action = Self.action(.suspendContract(contract), world, by: names)
      #expect(try world.send(action, by: "regulator validator") != .accepted)
    }
    // Nor does an operator carry it for them, nor is anything ordered without a reason or after its time.
    let together = Self.action(.suspendContract(contract), world)
    #expect(try world.send(together, by: "operator-0 controller") == .permissionDenied)
    let bare = Self.action(.suspendContract(contract), world, reason: "")
    #expect(try world.send(bare, by: "regulator validator") == .invalidArgument)
    let late = Self.action(.suspendContract(contract), world, expiry: 1)
    #expect(try world.send(late, by: "regulator validator") == .deadlinePassed)
  }

  @Test func aSuspendedContractTakesNoNewActivationsAndRunningOnesContinue() throws {
    var world = try Self.world()
    let contract = try world.deploy()
    let running = try world.reserve(contract)
    let action = Self.action(.suspendContract(contract), world)
    #expect(try world.send(action, by: "regulator validator") == .accepted)
    #expect(try world.send(action, by: "regulator-1 validator") == .alreadyExists)
    #expect(try world.send(.activate(world.order(contract)), by: "hospital treasury") == .failedPrecondition)
    // Its operator cannot lift it.
    #expect(try world.send(.setContractStatus(contract, .active), by: "operator-0 controller") == .accepted)
    #expect(try world.send(.activate(world.order(contract)), by: "hospital treasury") == .failedPrecondition)
    #expect(world.state.state(of: running) == .reserved)
    let record = try #require(world.state.measures().first)
    #expect(record.order.reason == "complaint 17")
    #expect(record.approvedBy == [World.organisation("regulator"), World.organisation("regulator-1")].sorted())
    let restore = Self.action(.restoreContract(contract), world)
    #expect(try world.send(restore, by: "regulator-1 validator") == .accepted)
    #expect(try world.send(.activate(world.order(contract)), by: "hospital treasury") == .accepted)
  }

  @Test func aFrozenSettlementMovesNoMoneyAndItsClocksStop() throws {
    var world = try Self.world()
    let contract = try world.deploy()
    let id = try world.reserve(contract)
    let early = Self.action(.freezeSettlement(id, Self.freeze), world)
    #expect(try world.send(early, by: "regulator validator") == .failedPrecondition)
    try world.start(id, epochs: 10)
    #expect(try world.send(.settleByRecord(id, nil), by: "hospital treasury") == .accepted)
    guard case .closing(_, let before)? = world.state.activation(id)?.phase else {
      Issue.record("not closing")
      return
    }
    let action = Self.action(.freezeSettlement(id, Self.freeze), world, reason: "the record is disputed in court")
    #expect(try world.send(action, by: "regulator validator") == .accepted)
    let until = try #require(world.state.freeze(of: id)?.until)
    // Not by one side, not by both, not by its deadline.
    let record = try world.record(id, met: 3)
    for settling in [world.agreement(id, record), .settleByRecord(id, world.signed(record))] {
      #expect(try world.send(settling, by: "hospital treasury") == .failedPrecondition)
    }
    guard case .closing(_, let after)? = world.state.activation(id)?.phase else {
      Issue.record("not closing")
      return
    }
    #expect(after.closesAt == before.closesAt + Self.freeze)
    while world.state.chain.clock < until {
      #expect(world.state.state(of: id) == .closing)
      try world.block(after: .seconds(4))
    }
    #expect(try world.send(.settleByRecord(id, world.signed(record)), by: "hospital treasury") == .accepted)
    try world.passDeadlines(to: after.closesAt)
    #expect(world.state.state(of: id) == .settled)
    #expect(world.state.freeze(of: id) == nil)
  }

  /// Also where the block in which it ran out had no room to act on it.
  @Test func whatHasRunOutIsNotFrozenAnyMore() throws {
    var world = try Self.world { $0.expiriesPerBlock = 1 }
    let contract = try world.deploy()
    let ids = [try world.reserve(contract), try world.reserve(contract)]
    for id in ids { try world.start(id, epochs: 10) }
    let settling = ids.map { world.sign(.settleByRecord($0, nil), by: "hospital treasury") }
    #expect(try world.block(settling) == [.accepted, .accepted])
    while ids.allSatisfy({ world.state.activation($0) != nil }) { try world.block(after: .seconds(4)) }
    let left = try #require(ids.first { world.state.activation($0) != nil })
    let late = Self.action(.freezeSettlement(left, .seconds(100)), world)
    #expect(try world.send(late, by: "regulator validator", after: .milliseconds(1)) == .deadlinePassed)
    #expect(world.state.activation(left) == nil)
  }

  @Test func noFreezeIsEndless() throws {
    var world = try Self.world()
    let id = try world.reserve(try world.deploy())
    try world.start(id, epochs: 10)
    func send(_ span: Span, _ reason: String) throws -> TransactionResult {
      try world.send(Self.action(.freezeSettlement(id, span), world, reason: reason), by: "regulator validator")
    }
    #expect(try send(Self.freeze + .seconds(1), "too long") == .outOfRange)
    #expect(try send(.zero, "for no time") == .outOfRange)
    #expect(try send(.seconds(100), "once") == .accepted)
    #expect(try send(.seconds(100), "again") == .outOfRange)
    #expect(try send(.seconds(20), "to the maximum") == .accepted)
    #expect(try send(Span(nanoseconds: 1), "and no further") == .outOfRange)
  }
}
