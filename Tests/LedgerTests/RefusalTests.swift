import Ledger
import Messages
import Signing
import Testing

/// Every check of every transaction, one story each: the code, and that nothing else happened.
@Suite struct LedgerRefusalTests {
  // MARK: Activate

  @Test func ordersOutsideTheOffer() throws {
    var world = try World()
    let contract = try world.deploy()
    func expect(_ code: TransactionResult, _ change: (inout ActivationOrder) -> Void) throws {
      var order = world.order(contract)
      change(&order)
      #expect(try world.send(.activate(order), by: "hospital treasury") == code)
    }
    try expect(.notFound) { $0.contract = ContractID(value: .zero) }
    try expect(.outOfRange) { $0.epochs = 1 }
    try expect(.outOfRange) { $0.epochs = 101 }
    try expect(.invalidArgument) { $0.earliestStart = $0.latestStart + .seconds(1) }
    try expect(.deadlinePassed) { ($0.earliestStart, $0.latestStart) = (World.start, World.start + .seconds(1)) }
    try expect(.serviceAreaNotSupported) { $0.cell = "cell-2" }
    try expect(.invalidArgument) { $0.peer = "the Internet" }
    try expect(.invalidArgument) { $0.enclaves = [] }
    try expect(.invalidArgument) { $0.enclaves += $0.enclaves }
    try expect(.attestationRejected) { $0.enclaves = [World.key("somebody's enclave").publicKey] }
    #expect(world.balance("hospital") == World.credit)
    #expect(world.state.activations().isEmpty)
  }

  @Test func onlyACustomersTreasuryOrders() throws {
    var world = try World()
    let contract = try world.deploy()
    for author in ["hospital", "hospital device", "operator-0 controller", "operator-0 validator"] {
      #expect(try world.send(.activate(world.order(contract)), by: author) == .permissionDenied)
    }
    // Another customer does not own the enclave.
    #expect(try world.send(.activate(world.order(contract)), by: "platoon treasury") == .attestationRejected)
  }

  @Test func serviceTimesHoldTheWholeActivation() throws {
    var world = try World()
    let window = TimeWindow(from: World.start + .seconds(30), to: World.start + .seconds(45))
    let contract = try world.deploy(World.terms(serviceTimes: [window]))
    var order = world.order(contract)
    order.latestStart = window.from - .seconds(1)
    #expect(try world.send(.activate(order), by: "hospital treasury") == .outOfRange)
    order.latestStart = window.from + .seconds(40)
    order.epochs = 16
    #expect(try world.send(.activate(order), by: "hospital treasury") == .outOfRange)
    order.epochs = 10
    let signed = world.sign(.activate(order), by: "hospital treasury")
    #expect(try world.block([signed]) == [.accepted])
    var confirmation = world.confirmation(ActivationID(signed.id))
    for (start, code) in [(29, .outOfRange), (36, .outOfRange), (35, .accepted)] as [(Int64, TransactionResult)] {
      confirmation.startAt = World.start + .seconds(start)
      #expect(try world.send(.confirmSlice(confirmation), by: "operator-0 controller") == code)
    }
  }

  @Test func moneyThatIsNotThere() throws {
    var world = try World(credit: 150)
    let contract = try world.deploy()
    _ = try world.request(contract)
    #expect(try world.send(.activate(world.order(contract)), by: "hospital treasury") == .escrowInsufficient)
    #expect(world.balance("hospital") == 150 - 107)
    var poor = try World(credit: 1_000)
    let id = try poor.request(try poor.deploy(World.terms(rules: [expensive])))
    #expect(try poor.send(.confirmSlice(poor.confirmation(id)), by: "operator-0 controller") == .bondInsufficient)
    #expect(poor.state.state(of: id) == .requested)
    #expect(poor.balance("operator-0") == 1_000)
  }

  private var expensive: Rule {
    var rule = World.lossRule
    rule.penalty = 1_000
    return rule
  }

  @Test func contractsGateNewActivationsOnly() throws {
    var world = try World()
    let contract = try world.deploy()
    let id = try world.request(contract)
    #expect(try world.send(.setContractStatus(contract, .inactive), by: "operator-1 controller") == .permissionDenied)
    #expect(try world.send(.setContractStatus(contract, .inactive), by: "operator-0 controller") == .accepted)
    #expect(try world.send(.activate(world.order(contract)), by: "hospital treasury") == .failedPrecondition)
    #expect(try world.send(.confirmSlice(world.confirmation(id)), by: "operator-0 controller") == .accepted)
    #expect(try world.send(.setContractStatus(contract, .deprecated), by: "operator-0 controller") == .accepted)
    #expect(try world.send(.setContractStatus(contract, .active), by: "operator-0 controller") == .failedPrecondition)
  }

  // MARK: ConfirmSlice

  @Test func confirmationsOutsideTheOrder() throws {
    var world = try World()
    let id = try world.request(try world.deploy())
    func expect(_ code: TransactionResult, _ change: (inout SliceConfirmation) -> Void) throws {
      var confirmation = world.confirmation(id)
      change(&confirmation)
      #expect(try world.send(.confirmSlice(confirmation), by: "operator-0 controller") == code)
    }
    try expect(.outOfRange) { $0.startAt = world.state.time + .seconds(1) }
    try expect(.outOfRange) { $0.startAt = world.state.time + .seconds(61) }
    try expect(.invalidArgument) { $0.edge = World.key("operator-1 edge").publicKey }
    try expect(.invalidArgument) { $0.edge = World.key("operator-0 controller").publicKey }
    #expect(world.balance("operator-0") == World.credit)
  }

  // MARK: Records

  @Test func recordsWhoseNumbersDoNotFit() throws {
    var world = try World()
    let contract = try world.deploy()
    let id = try world.reserve(contract)
    let other = try world.request(contract)
    try world.advance(to: world.state.time + .seconds(20))
    func expect(_ code: TransactionResult, _ change: (inout JointRecord) -> Void) throws {
      var record = try world.record(id, met: 4)
      change(&record)
      let action = Action.settleByRecord(id, world.signed(record))
      #expect(try world.send(action, by: "operator-0 controller") == code)
    }
    try expect(.receiptMismatch) { $0.activation = other }
    try expect(.receiptMismatch) { $0.epoch = 4 }
    try expect(.receiptMismatch) { $0.epoch = .max }
    try expect(.receiptMismatch) { $0.segments[0].amountDue += 1 }
    try expect(.receiptMismatch) { $0.segments[0].penaltiesDue += 1 }
    try expect(.receiptMismatch) { $0.segments[0].ruleCounters = [] }
    try expect(.receiptMismatch) { $0.verdicts = [] }
    try expect(.receiptMismatch) { $0.segments[0].ruleCounters[0].inconclusive = 1 }
    try expect(.receiptMismatch) { $0.segments[0].ruleCounters[0].met = .max }
    try expect(.receiptMismatch) { $0.segments[0].epochCounters.contested = .max }
    // More epochs than were booked.
    let long = world.signed(try world.record(id, met: 11))
    #expect(try world.send(.settleByRecord(id, long), by: "hospital treasury") == .receiptMismatch)
    let twoBodies = SignedRecord(
      byEnclave: world.signed(try world.record(id, met: 4)).byEnclave,
      byEdge: world.signed(try world.record(id, met: 3)).byEdge)
    #expect(try world.send(.settleByRecord(id, twoBodies), by: "hospital treasury") == .receiptMismatch)
    try expect(.accepted) { _ in }
  }

  @Test func agreementsNeedBothSidesOwnKeys() throws {
    var world = try World()
    let id = try world.reserve(try world.deploy())
    let forged = [
      world.agreement(id, nil, customer: "platoon treasury"), world.agreement(id, nil, customer: "hospital device"),
      world.agreement(id, nil, operatorKey: "operator-1 controller"),
      world.agreement(id, nil, operatorKey: "operator-0 edge"),
      world.agreement(id, nil, customer: "operator-0 controller"),
    ]
    for action in forged { #expect(try world.send(action, by: "hospital treasury") == .permissionDenied) }
    #expect(try world.send(world.agreement(id, nil), by: "hospital device") == .accepted)
  }

  // MARK: Organisations and enclaves

  @Test func enrolments() throws {
    var world = try World()
    let fresh = World.key("fresh").publicKey
    func enrol(_ key: PublicKey, _ role: KeyRole, by author: String) throws -> TransactionResult {
      try world.send(.enrol(Enrolment(key: key, role: role)), by: author)
    }
    #expect(try enrol(fresh, .treasury, by: "hospital treasury") == .permissionDenied)
    #expect(try enrol(fresh, .controller, by: "hospital") == .permissionDenied)
    #expect(try enrol(fresh, .validator, by: "operator-0") == .permissionDenied)
    #expect(try enrol(World.key("operator-0 edge").publicKey, .edge, by: "operator-0") == .alreadyExists)
    #expect(try enrol(World.key("platoon").publicKey, .treasury, by: "hospital") == .alreadyExists)
    #expect(try enrol(fresh, .treasury, by: "hospital") == .accepted)
    #expect(try enrol(fresh, .treasury, by: "hospital") == .alreadyExists)
    #expect(
      try world.send(.transfer(to: World.organisation("platoon"), amount: 1), by: "fresh") == .accepted)
  }

  @Test func transfers() throws {
    var world = try World()
    let platoon = World.organisation("platoon")
    func transfer(_ amount: Amount, to receiver: OrganisationID) throws -> TransactionResult {
      try world.send(.transfer(to: receiver, amount: amount), by: "hospital treasury")
    }
    #expect(try transfer(0, to: platoon) == .invalidArgument)
    #expect(try transfer(1, to: World.organisation("hospital")) == .invalidArgument)
    #expect(try transfer(1, to: World.organisation("nobody")) == .notFound)
    #expect(try transfer(World.credit + 1, to: platoon) == .failedPrecondition)
    #expect(try transfer(World.credit, to: platoon) == .accepted)
    #expect(world.balance("hospital") == 0)
  }

  @Test func deployments() throws {
    var world = try World()
    #expect(try world.send(.deployContract(World.terms()), by: "operator-1 controller") == .permissionDenied)
    #expect(try world.send(.deployContract(World.terms()), by: "operator-0") == .permissionDenied)
    var terms = World.terms()
    terms.metering.grace = .zero
    #expect(try world.send(.deployContract(terms), by: "operator-0 controller") == .invalidArgument)
    #expect(try world.send(.deployContract(World.terms()), by: "operator-0 controller") == .accepted)
    #expect(try world.send(.deployContract(World.terms()), by: "operator-0 controller") == .alreadyExists)
    #expect(try world.send(.deployContract(World.terms(number: 2)), by: "operator-0 controller") == .accepted)
  }

  @Test func evidenceOfEnclaves() throws {
    var world = try World()
    try world.block()
    func register(_ evidence: Envelope, by author: String = "hospital device") throws -> TransactionResult {
      try world.send(.registerEnclave(evidence), by: author)
    }
    #expect(try register(world.evidence(enclave: "e", nonce: .zero)) == .attestationRejected)
    #expect(try register(world.evidence(enclave: "e", platform: "backyard")) == .attestationRejected)
    #expect(try register(world.evidence(enclave: "e", debugStatus: .enabled)) == .attestationRejected)
    #expect(try register(world.evidence(enclave: "e"), by: "hospital") == .permissionDenied)
    #expect(try register(world.evidence(enclave: "operator-0 edge")) == .alreadyExists)
    let old = world.evidence(enclave: "e", bootCount: 2)
    #expect(try register(old) == .accepted)
    let before = try #require(world.state.enclave(World.key("e").publicKey)?.expires)
    // The same evidence again renews it while its nonce is recent; a rolled-back boot count or another owner does not.
    #expect(try register(old) == .accepted)
    #expect(try #require(world.state.enclave(World.key("e").publicKey)?.expires) > before)
    #expect(try register(world.evidence(enclave: "e", bootCount: 1)) == .attestationRejected)
    #expect(try register(world.evidence(enclave: "e", bootCount: 3), by: "platoon device") == .alreadyExists)
    for _ in 0..<world.genesis.parameters.attestationNonceAge { try world.block() }
    #expect(try register(old) == .attestationRejected)
    #expect(
      try world.send(.enrol(Enrolment(key: World.key("e").publicKey, role: .device)), by: "platoon") == .alreadyExists)
  }
}
