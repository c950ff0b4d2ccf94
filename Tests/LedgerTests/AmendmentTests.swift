import Ledger
import Messages
import Signing
import Testing

/// Extend and Renegotiate: a further segment with an escrow and a bond of its own.
@Suite struct AmendmentTests {
  private func running(_ change: (inout World) throws -> Void = { _ in }) throws -> (World, ContractID, ActivationID) {
    var world = try World()
    let contract = try world.deploy()
    try change(&world)
    let id = try world.reserve(contract)
    try world.start(id, epochs: 3)
    return (world, contract, id)
  }

  @Test func anExtensionBeginsWhereTheBookingEnds() throws {
    var (world, contract, id) = try running()
    let order = world.segmentOrder(id, contract)
    // Anyone may carry what both signed.
    #expect(try world.send(world.extend(order), by: "platoon treasury", after: .milliseconds(1)) == .accepted)
    let record = try #require(world.state.activation(id))
    #expect(record.segmentRanges == [0..<10, 10..<15])
    #expect(record.escrow == 107 + 57)
    #expect(record.bond == 70 + 55)
    #expect(world.balance("hospital") == World.credit - 164)
    #expect(world.balance("operator-0") == World.credit - 125)
    let change = try #require(world.last?.outcomes.events.compactMap(\.change).first)
    #expect(change.epochs == 15)
    #expect(change.segmentFrom == 10)
    #expect(change.endsAt == record.reservation.map { $0.startAt + .seconds(15) })
    // Each signature is good for once.
    #expect(try world.send(world.extend(order), by: "platoon treasury") == .failedPrecondition)
    try world.start(id, epochs: 15)
    let signed = world.signed(
      try world.record(id, segments: [(World.terms(), 9, 1, 10), (World.terms(), 3, 2, 5)]))
    #expect(try world.send(.settleByRecord(id, signed), by: "hospital treasury") == .accepted)
    try world.passDeadlines(to: world.state.time + .seconds(30))
    let end = try #require(world.ended(id))
    // Two fees, twelve epochs MET; three VIOLATED.
    #expect(end.money.paid == 14 + 120)
    #expect(end.money.penalty == 9)
    #expect(end.statusInfo == .durationExpired)
    #expect(world.balance("hospital") == World.credit - 134 + 9)
  }

  /// Refused once, an order could otherwise come back when it suits whoever kept it.
  @Test func anOrderDiesWithThePlanItNames() throws {
    var (world, contract, id) = try running()
    let (extend, renegotiate) = (
      world.extend(world.segmentOrder(id, contract)),
      world.renegotiate(world.segmentOrder(id, try world.deployDearer()))
    )
    #expect(
      try world.send(world.handover(id, from: 6), by: "operator-0 controller", after: .milliseconds(1)) == .accepted)
    for action in [extend, renegotiate] {
      #expect(try world.send(action, by: "platoon treasury", after: .milliseconds(1)) == .failedPrecondition)
    }
    let anew = world.extend(world.segmentOrder(id, contract))
    #expect(try world.send(anew, by: "platoon treasury", after: .milliseconds(1)) == .accepted)
  }

  @Test func aNewContractCutsTheRunningOne() throws {
    var (world, _, id) = try running()
    let dearer = try world.deployDearer()
    let order = world.segmentOrder(id, dearer)
    // 3.1 s and a lead of 1 s: epoch 5 is the first that begins late enough.
    #expect(try world.send(world.renegotiate(order), by: "hospital treasury", after: .milliseconds(1)) == .accepted)
    let record = try #require(world.state.activation(id))
    #expect(record.segmentRanges == [0..<5, 5..<10])
    #expect(record.escrow == 107 + 107)
    #expect(record.reservation?.epochs == 10)
    #expect(record.reservation?.planHash == order.plan)
    // A second one must not cut what has not begun.
    let again = world.renegotiate(world.segmentOrder(id, World.terms().id, index: 2))
    #expect(try world.send(again, by: "hospital treasury", after: .milliseconds(1)) == .failedPrecondition)
    try world.start(id, epochs: 10)
    let dear = try #require(world.state.contract(dearer)).terms
    let signed = world.signed(try world.record(id, segments: [(World.terms(), 5, 0, 10), (dear, 4, 1, 5)]))
    #expect(try world.send(.settleByRecord(id, signed), by: "operator-0 controller") == .accepted)
    try world.passDeadlines(to: world.state.time + .seconds(30))
    let end = try #require(world.ended(id))
    #expect(end.money.paid == 7 + 50 + 7 + 80)
    #expect(end.money.penalty == 3)
    #expect(end.money.refunded == 214 - 144)
  }

  @Test func epochsOfASegmentStayItsOwn() throws {
    var (world, _, id) = try running()
    let dearer = try world.deployDearer()
    let action = world.renegotiate(world.segmentOrder(id, dearer))
    #expect(try world.send(action, by: "hospital treasury", after: .milliseconds(1)) == .accepted)
    try world.start(id, epochs: 10)
    let dear = try #require(world.state.contract(dearer)).terms
    func expect(
      _ code: TransactionResult, _ segments: [(terms: ContractTerms, met: UInt64, violated: UInt64, booked: UInt64)]
    ) throws {
      let signed = world.signed(try world.record(id, segments: segments))
      #expect(try world.send(.settleByRecord(id, signed), by: "hospital treasury") == code)
    }
    try expect(.receiptMismatch, [(World.terms(), 10, 0, 10)])
    try expect(.receiptMismatch, [(World.terms(), 6, 0, 10), (dear, 4, 0, 5)])
    try expect(.receiptMismatch, [(World.terms(), 4, 0, 10), (dear, 5, 0, 5)])
    try expect(.receiptMismatch, [(World.terms(), 5, 0, 10), (World.terms(), 5, 0, 5)])
    try expect(.receiptMismatch, [(World.terms(), 5, 0, 10), (dear, 5, 0, 5), (dear, 1, 0, 5)])
    try expect(.accepted, [(World.terms(), 4, 0, 10)])
    try expect(.accepted, [(World.terms(), 5, 0, 10), (dear, 4, 1, 5)])
  }

  @Test func onlyWhileItRuns() throws {
    var world = try World()
    let contract = try world.deploy()
    let id = try world.request(contract)
    func expect(_ code: TransactionResult) throws {
      let action = world.extend(world.segmentOrder(id, contract))
      #expect(try world.send(action, by: "hospital treasury", after: .milliseconds(1)) == code)
    }
    try expect(.failedPrecondition)
    #expect(try world.send(.confirmSlice(world.confirmation(id)), by: "operator-0 controller") == .accepted)
    try expect(.failedPrecondition)
    try world.start(id, epochs: 3)
    #expect(try world.send(.terminate(id), by: "hospital treasury", after: .milliseconds(1)) == .accepted)
    try expect(.failedPrecondition)
  }

  /// Who signed first is not held to its word for ever.
  @Test func anOrderThatNobodyBroughtInTimeIsVoid() throws {
    var (world, contract, id) = try running()
    var order = world.segmentOrder(id, contract)
    order.expiry = world.state.height
    #expect(
      try world.send(world.extend(order), by: "operator-0 controller", after: .milliseconds(1)) == .deadlinePassed)
    order.expiry = world.state.height + 1
    #expect(try world.send(world.extend(order), by: "operator-0 controller", after: .milliseconds(1)) == .accepted)
  }

  @Test func tooLateToExtend() throws {
    var (world, contract, id) = try running()
    let endsAt = try #require(world.state.activation(id)?.reservation?.endsAt)
    try world.advance(to: endsAt - .seconds(1))
    let action = world.extend(world.segmentOrder(id, contract))
    #expect(try world.send(action, by: "hospital treasury", after: .milliseconds(1)) == .deadlinePassed)
    let renegotiation = world.renegotiate(world.segmentOrder(id, try world.deployDearer()))
    #expect(try world.send(renegotiation, by: "hospital treasury", after: .milliseconds(1)) == .failedPrecondition)
    #expect(world.state.activation(id)?.segments.count == 1)
  }

  @Test func whatDoesNotFit() throws {
    var (world, contract, id) = try running()
    func expect(_ code: TransactionResult, _ action: Action) throws {
      #expect(try world.send(action, by: "hospital treasury", after: .milliseconds(1)) == code)
    }
    let order = world.segmentOrder(id, contract)
    let dearer = try world.deployDearer()
    func altered(_ change: (inout SegmentOrder) -> Void) -> SegmentOrder {
      var altered = order
      change(&altered)
      return altered
    }
    try expect(.failedPrecondition, world.extend(altered { $0.index = 0 }))
    try expect(.failedPrecondition, world.extend(altered { $0.index = 2 }))
    try expect(.outOfRange, world.extend(altered { $0.epochs = 1 }))
    try expect(.outOfRange, world.extend(altered { $0.epochs = 101 }))
    try expect(.invalidArgument, world.extend(altered { $0.contract = dearer }))
    try expect(.invalidArgument, world.renegotiate(order))
    try expect(.notFound, world.renegotiate(altered { $0.contract = ContractID(value: .zero) }))
    let (mine, theirs) = world.signatures(order)
    let other = world.signatures(altered { $0.epochs = 6 }).1
    try expect(.invalidArgument, .extend(byCustomer: mine, byOperator: other))
    try expect(.permissionDenied, .extend(byCustomer: theirs, byOperator: mine))
    let device = world.signatures(order, customer: "hospital device").0
    try expect(.permissionDenied, .extend(byCustomer: device, byOperator: theirs))
    let changes: [(TransactionResult, (inout ContractTerms) -> Void)] = [
      (.invalidArgument, { $0.metering.grace = .milliseconds(300) }),
      (.invalidArgument, { $0.deadlines.answerWithin = .seconds(16) }),
      (.invalidArgument, { $0.context.allowedPeers = ["platoon", "robot"] }),
      (.invalidArgument, { $0.context.allowedPeers = ["platoon"] }),
      (.serviceAreaNotSupported, { $0.context.serviceArea = ["pass"] }),
      (.outOfRange, { $0.context.serviceTimes = [TimeWindow(from: World.start, to: World.start + .seconds(15))] }),
    ]
    for (number, (code, change)) in changes.enumerated() {
      let contract = try world.deployDearer(number: 10 + UInt64(number), change: change)
      try expect(code, world.renegotiate(altered { $0.contract = contract }))
    }
    #expect(world.balance("hospital") == World.credit - 107)
    try expect(.accepted, world.renegotiate(altered { $0.contract = dearer }))
  }

  @Test func onlyUnderAnActiveContractOfTheOperator() throws {
    var (world, contract, id) = try running()
    let dearer = try world.deployDearer()
    var foreign = World.terms()
    foreign.operatorID = World.organisation("operator-1")
    #expect(
      try world.send(.deployContract(foreign), by: "operator-1 controller", after: .milliseconds(1)) == .accepted)
    let renegotiation = world.renegotiate(world.segmentOrder(id, foreign.id))
    #expect(try world.send(renegotiation, by: "hospital treasury", after: .milliseconds(1)) == .invalidArgument)
    for contract in [contract, dearer] {
      let status = Action.setContractStatus(contract, .inactive)
      #expect(try world.send(status, by: "operator-0 controller", after: .milliseconds(1)) == .accepted)
    }
    for action in [
      world.extend(world.segmentOrder(id, contract)), world.renegotiate(world.segmentOrder(id, dearer)),
    ] {
      #expect(try world.send(action, by: "hospital treasury", after: .milliseconds(1)) == .failedPrecondition)
    }
  }

  /// A short balance leaves the old end as it was.
  @Test func shortBalancesChangeNothing() throws {
    var world = try World(credit: 150)
    let contract = try world.deploy()
    let id = try world.reserve(contract)
    try world.start(id, epochs: 3)
    let before = world.state.activation(id)
    let action = world.extend(world.segmentOrder(id, contract))
    #expect(try world.send(action, by: "hospital treasury", after: .milliseconds(1)) == .escrowInsufficient)
    #expect(world.state.activation(id) == before)
    let gift = Action.transfer(to: World.organisation("hospital"), amount: 100)
    #expect(try world.send(gift, by: "platoon treasury", after: .milliseconds(1)) == .accepted)
    // 143 of the hospital's pay for E of thirteen more epochs, 137, and not for another two.
    let long = world.extend(world.segmentOrder(id, contract, epochs: 13))
    #expect(try world.send(long, by: "hospital treasury", after: .milliseconds(1)) == .accepted)
    let more = world.extend(world.segmentOrder(id, contract, index: 2, epochs: 2))
    #expect(try world.send(more, by: "hospital treasury", after: .milliseconds(1)) == .escrowInsufficient)
    #expect(world.balance("operator-0") == 150 - 70 - 79)
  }

  @Test func aShortBondChangesNothing() throws {
    var world = try World(credit: 1_000)
    let contract = try world.deploy()
    let id = try world.reserve(contract)
    try world.start(id, epochs: 3)
    var costly = World.lossRule
    costly.penalty = 1_000
    let dear = try world.deployDearer { $0.rules = [costly] }
    let before = world.state.activation(id)
    let action = world.renegotiate(world.segmentOrder(id, dear))
    #expect(try world.send(action, by: "hospital treasury", after: .milliseconds(1)) == .bondInsufficient)
    #expect(world.state.activation(id) == before)
    #expect(world.balance("hospital") == 1_000 - 107)
  }

  @Test func segmentsAreBounded() throws {
    var (world, contract, id) = try running()
    for index in 1..<UInt64(ActivationLimits.segments) {
      let action = world.extend(world.segmentOrder(id, contract, index: index))
      #expect(try world.send(action, by: "hospital treasury", after: .milliseconds(1)) == .accepted)
    }
    let last = world.extend(world.segmentOrder(id, contract, index: UInt64(ActivationLimits.segments)))
    #expect(try world.send(last, by: "hospital treasury", after: .milliseconds(1)) == .outOfRange)
    #expect(world.state.activation(id)?.segmentRanges.last == 40..<45)
  }

  /// What ends it ends all its segments: the running epoch counts in all of them together.
  @Test func terminationsReachOverSegments() throws {
    var (world, contract, id) = try running()
    let action = world.extend(world.segmentOrder(id, contract))
    #expect(try world.send(action, by: "hospital treasury", after: .milliseconds(1)) == .accepted)
    var abandoned = world
    #expect(try abandoned.send(.terminate(id), by: "operator-0 controller", after: .milliseconds(1)) == .accepted)
    #expect(abandoned.state.activation(id)?.segmentRanges == [0..<3, 3..<3])
    try abandoned.passDeadlines(to: abandoned.state.time + .seconds(90))
    let end = try #require(abandoned.ended(id))
    // Neither fee, one termination penalty.
    #expect(end.money.paid == 0)
    #expect(end.money.penalty == 40)
    #expect(end.statusInfo == .networkTerminated)
    try world.start(id, epochs: 11)
    #expect(try world.send(.terminate(id), by: "hospital treasury", after: .milliseconds(1)) == .accepted)
    #expect(world.state.activation(id)?.segmentRanges == [0..<10, 10..<12])
    try world.start(id, epochs: 12)
    let signed = world.signed(try world.record(id, segments: [(World.terms(), 10, 0, 10), (World.terms(), 2, 0, 5)]))
    #expect(try world.send(.settleByRecord(id, signed), by: "operator-0 controller") == .accepted)
    try world.passDeadlines(to: world.state.time + .seconds(30))
    #expect(world.ended(id)?.money.paid == 14 + 120)
  }
}

extension LedgerEvent {
  var change: ActivationChange? {
    if case .activationChanged(let change) = self { change } else { nil }
  }
}
