import FixtureSupport
import Ledger
import Messages
import Signing
import Testing

/// A small consortium and its ledger, driven block by block. Signatures are the simulator's: the ledger never looks
/// at them, and tests of real ones are elsewhere.
struct World {
  /// Everyone who signs something, by name; the key of a name is always the same.
  static func key(_ name: String) -> SigningKey {
    do {
      return try SigningKey(seed: Digest(hashing: Array(name.utf8)).bytes, scheme: .simulated)
    } catch {
      preconditionFailure("no memory for the key of \(name)")
    }
  }

  static func organisation(_ name: String) -> OrganisationID { OrganisationID(key(name).publicKey) }

  static let measurement = Digest(hashing: [1, 2, 3])
  static let start = Instant(nanoseconds: 1_700_000_000_000_000_000)
  static let credit: Amount = 1_000_000

  let genesis: Genesis
  var state: LedgerState
  var last: ExecutedBlock?
  var tip: Digest
  /// What a shell would store: everything that left the state.
  var archive: [ArchivedActivation] = []
  private var nonce: UInt64 = 0

  /// - Parameter operators: how many members lead; as many vote, plus the regulators.
  init(
    operators: Int = 4, regulators: Int = 1, parameters: NetworkParameters = .standard, credit: Amount = credit
  ) throws {
    genesis = World.genesis(operators: operators, regulators: regulators, parameters: parameters, credit: credit)
    state = try LedgerState(genesis: genesis)
    tip = genesis.networkID
  }

  /// The first is `regulator`, the others are numbered.
  static func regulatorName(_ index: Int) -> String { index == 0 ? "regulator" : "regulator-\(index)" }

  static func genesis(
    operators: Int, regulators: Int = 1, parameters: NetworkParameters, credit: Amount
  ) -> Genesis {
    var organisations: [Organisation] = []
    var members: [Member] = []
    for index in 0..<operators {
      let name = "operator-\(index)"
      organisations.append(
        Organisation(
          id: organisation(name), name: name, kind: .networkOperator, credit: credit,
          keys: [
            Enrolment(key: key("\(name) controller").publicKey, role: .controller),
            Enrolment(key: key("\(name) edge").publicKey, role: .edge),
            Enrolment(key: key("\(name) edge 2").publicKey, role: .edge),
          ]))
      members.append(
        Member(
          name: name, key: key("\(name) validator").publicKey, organisation: organisation(name), leads: true))
    }
    for name in (0..<regulators).map(regulatorName) {
      organisations.append(
        Organisation(id: organisation(name), name: name, kind: .regulator, credit: 0, keys: []))
      members.append(
        Member(
          name: name, key: key("\(name) validator").publicKey, organisation: organisation(name), leads: false))
    }
    for name in ["hospital", "platoon"] {
      organisations.append(
        Organisation(
          id: organisation(name), name: name, kind: .customer, credit: credit,
          keys: [
            Enrolment(key: key("\(name) treasury").publicKey, role: .treasury),
            Enrolment(key: key("\(name) device").publicKey, role: .device),
          ]))
    }
    return Genesis(
      salt: [UInt8](repeating: 7, count: Genesis.saltBytes), scheme: .simulated, time: start, parameters: parameters,
      members: members, organisations: organisations, platformKeys: [key("platform").publicKey])
  }

  // MARK: Blocks

  mutating func sign(_ action: Action, by name: String, expiry: Height? = nil) -> SignedTransaction {
    nonce += 1
    let lifetime = if case .activate = action { Transaction.orderLifetime } else { Height(100) }
    return SignedTransaction(
      signing: Transaction(nonce: nonce, expiry: expiry ?? state.height + lifetime, action: action),
      with: Self.key(name), network: genesis.networkID)
  }

  /// Executes one block.
  /// - Parameter leader: members take turns when nil.
  @discardableResult
  mutating func block(
    _ transactions: [SignedTransaction] = [], after span: Span = .milliseconds(500), leader: Int? = nil
  ) throws -> [TransactionResult] {
    let executed = try state.executing(transactions, in: next(after: span, leader: leader))
    try executed.state.audit()
    adopt(executed, tip: Digest(hashing: tip.bytes + executed.state.root.bytes))
    return executed.outcomes.results
  }

  mutating func adopt(_ executed: ExecutedBlock, tip: Digest) {
    state = executed.state
    last = executed
    archive += executed.archived
    self.tip = tip
  }

  func next(after span: Span = .milliseconds(500), leader: Int? = nil) -> BlockContext {
    let leaders = state.era.leaders
    return BlockContext(
      era: state.chain.era, view: max(state.height + 1, state.era.firstView), height: state.height + 1,
      time: state.time + span, leader: leader ?? Int(leaders[Int(state.height) % leaders.count]), parentHash: tip)
  }

  /// Signs and executes one transaction in a block of its own.
  @discardableResult
  mutating func send(
    _ action: Action, by name: String, after span: Span = .milliseconds(500)
  ) throws -> TransactionResult {
    let signed = sign(action, by: name)
    return try #require(try block([signed], after: span).first)
  }

  /// Empty blocks of all leaders in turn until the ledger's time is `instant` and every deadline of then has passed.
  mutating func advance(to instant: Instant) throws {
    while state.time < instant { try block(after: min(instant - state.time, .seconds(4))) }
  }

  mutating func passDeadlines(to instant: Instant) throws {
    while state.chain.horizon(faults: state.faults) < instant { try block(after: .seconds(4)) }
  }

  // MARK: A contract and its activation

  static func terms(
    rules: [Rule] = [lossRule], cap: Amount? = nil, number: UInt64 = 1, serviceTimes: [TimeWindow] = []
  ) -> ContractTerms {
    ContractTerms(
      operatorID: organisation("operator-0"), deploymentNumber: number,
      service: ServiceTerms(
        profile: "remote-surgery", guaranteedUp: 1_000_000, guaranteedDown: 1_000_000, maximumUp: 2_000_000,
        maximumDown: 2_000_000, maximumPacketBytes: 1_400, functionChain: ["upf"], sharing: .shared),
      rules: rules,
      context: ContextTerms(
        serviceTimes: serviceTimes, serviceArea: ["cell-1", "pass"], allowedPeers: ["robot", "platoon"],
        minimumEpochs: 2, maximumEpochs: 100),
      money: MoneyTerms(
        pricePerEpoch: 10, reservationFee: 7, terminationPenalty: 40, inconclusiveShare: 500_000,
        contestedShare: 250_000, penaltyCap: cap),
      metering: MeteringTerms(
        epoch: .seconds(1), grace: .milliseconds(200), maximumTransit: .milliseconds(100),
        delaySpread: .milliseconds(50), clockErrorBound: .milliseconds(5), histogram: .standard, gated: true,
        minimumAttestationLevel: .software, allowedMeasurements: [measurement]),
      deadlines: DeadlineTerms(
        confirmWithin: .seconds(10), startLead: .seconds(1), settlementWindow: .seconds(20),
        settleWithin: .seconds(60), answerWithin: .seconds(15), demandWithin: .seconds(6)))
  }

  static let lossRule = Rule(
    metric: .lossRatio, statistic: .value, direction: .up, comparison: .atMost, reference: 10_000, tolerance: 0,
    window: 1, minimumSamples: 0, penalty: 3)

  /// A deployed contract and a registered enclave, after two blocks.
  mutating func deploy(_ terms: ContractTerms = terms(), for customer: String = "hospital") throws -> ContractID {
    if state.height == 0 { try block() }
    let transactions = [
      sign(.deployContract(terms), by: "operator-0 controller"),
      sign(.registerEnclave(evidence(enclave: "\(customer) enclave")), by: "\(customer) device"),
    ]
    #expect(try block(transactions) == [.accepted, .accepted])
    return terms.id
  }

  /// - Parameter nonce: by default the hash that the next block's parent has.
  func evidence(
    enclave: String, nonce: Digest? = nil, platform: String = "platform", bootCount: UInt64 = 1,
    debugStatus: AttestationEvidence.DebugStatus = .disabled
  ) -> Envelope {
    Envelope(
      signing: AttestationEvidence(
        nonce: nonce ?? tip, measurement: Self.measurement, receiptKey: Self.key(enclave).publicKey,
        platform: Self.key(platform).publicKey, bootCount: bootCount, level: .software, debugStatus: debugStatus),
      with: Self.key(platform), network: genesis.networkID)
  }

  func order(_ contract: ContractID, epochs: UInt64 = 10, customer: String = "hospital") -> ActivationOrder {
    ActivationOrder(
      contract: contract, epochs: epochs, earliestStart: state.time, latestStart: state.time + .seconds(60),
      cell: "cell-1", peer: "robot", enclaves: [Self.key("\(customer) enclave").publicKey])
  }

  /// For an order of the hospital's or one that names its far edge.
  func confirmation(
    _ id: ActivationID, startIn lead: Span = .seconds(5), peerEdge: String? = nil
  ) -> SliceConfirmation {
    SliceConfirmation(
      activation: id, planHash: Digest(hashing: [9]), startAt: state.time + lead,
      edge: Self.key("operator-0 edge").publicKey, peerEdge: peerEdge.map { Self.key($0).publicKey })
  }

  /// → REQUESTED
  mutating func request(_ contract: ContractID, epochs: UInt64 = 10) throws -> ActivationID {
    let signed = sign(.activate(order(contract, epochs: epochs)), by: "hospital treasury")
    #expect(try block([signed]) == [.accepted])
    return ActivationID(signed.id)
  }

  /// → RESERVED, starting five seconds from now.
  mutating func reserve(_ contract: ContractID, epochs: UInt64 = 10) throws -> ActivationID {
    let id = try request(contract, epochs: epochs)
    #expect(try send(.confirmSlice(confirmation(id)), by: "operator-0 controller") == .accepted)
    return id
  }

  // MARK: Two customers

  /// The platoon's enclave registered: it can stand at the far end.
  mutating func registerPeer() throws {
    let evidence = evidence(enclave: "platoon enclave")
    #expect(try send(.registerEnclave(evidence), by: "platoon device") == .accepted)
  }

  /// An order of the hospital's for a flow to the platoon, without its consent.
  func flowOrder(_ contract: ContractID, epochs: UInt64 = 10) -> ActivationOrder {
    var order = order(contract, epochs: epochs)
    order.peer = "platoon"
    order.enclaves.append(Self.key("platoon enclave").publicKey)
    order.peerCell = "pass"
    return order
  }

  /// The transaction with which the hospital places that order; what the platoon signs names it.
  mutating func signFlow(
    _ order: ActivationOrder, consentBy name: String = "platoon device",
    change: (inout ActivationConsent) -> Void = { _ in }
  ) -> SignedTransaction {
    nonce += 1
    var consent = ActivationConsent(
      payer: Self.key("hospital treasury").publicKey, nonce: nonce, expiry: state.height + Transaction.orderLifetime,
      order: order.consentDigest)
    change(&consent)
    var order = order
    order.consent = Envelope(signing: consent, with: Self.key(name), network: genesis.networkID)
    return SignedTransaction(
      signing: Transaction(nonce: nonce, expiry: state.height + Transaction.orderLifetime, action: .activate(order)),
      with: Self.key("hospital treasury"), network: genesis.networkID)
  }

  /// A flow between two customers over two edges, five seconds before its start.
  mutating func reserveFlow(_ contract: ContractID, epochs: UInt64 = 10) throws -> ActivationID {
    try registerPeer()
    let signed = signFlow(flowOrder(contract, epochs: epochs))
    #expect(try block([signed]) == [.accepted])
    let id = ActivationID(signed.id)
    let confirmation = confirmation(id, peerEdge: "operator-0 edge 2")
    #expect(try send(.confirmSlice(confirmation), by: "operator-0 controller") == .accepted)
    return id
  }

  // MARK: Amendments

  /// So far into the service of an activation.
  mutating func start(_ id: ActivationID, epochs: Int64) throws {
    let startAt = try #require(state.activation(id)?.reservation?.startAt)
    try advance(to: startAt + .seconds(epochs) + .milliseconds(100))
  }

  /// Names the plan in force.
  func segmentOrder(
    _ id: ActivationID, _ contract: ContractID, index: UInt64 = 1, epochs: UInt64 = 5
  ) -> SegmentOrder {
    let plan = state.activation(id)?.reservation?.planHash ?? Digest(hashing: [10])
    return SegmentOrder(
      activation: id, index: index, contract: contract, epochs: epochs, plan: plan, expiry: state.height + 100)
  }

  /// Both parties' signatures on an order for a further segment.
  func signatures(
    _ order: SegmentOrder, customer: String = "hospital treasury", operatorKey: String = "operator-0 controller"
  ) -> (Envelope, Envelope) {
    (
      Envelope(signing: order, with: Self.key(customer), network: genesis.networkID),
      Envelope(signing: order, with: Self.key(operatorKey), network: genesis.networkID)
    )
  }

  func extend(_ order: SegmentOrder) -> Action {
    let (byCustomer, byOperator) = signatures(order)
    return .extend(byCustomer: byCustomer, byOperator: byOperator)
  }

  func renegotiate(_ order: SegmentOrder) -> Action {
    let (byCustomer, byOperator) = signatures(order)
    return .renegotiate(byCustomer: byCustomer, byOperator: byOperator)
  }

  func handover(
    _ id: ActivationID, from epoch: EpochNumber, end: FlowEnd = .near, cell: String = "pass",
    edge: String = "operator-0 edge 2"
  ) -> Action {
    .handOver(
      SliceHandover(
        activation: id, end: end, from: epoch, cell: cell, edge: Self.key(edge).publicKey,
        plan: Digest(hashing: [11])))
  }

  /// Another offer of the operator's, twice as dear.
  static func dearerTerms(number: UInt64 = 2) -> ContractTerms {
    var terms = terms(number: number)
    terms.money.pricePerEpoch = 20
    return terms
  }

  mutating func deployDearer(
    number: UInt64 = 2, change: (inout ContractTerms) -> Void = { _ in }
  ) throws -> ContractID {
    var terms = Self.dearerTerms(number: number)
    change(&terms)
    #expect(try send(.deployContract(terms), by: "operator-0 controller", after: .milliseconds(1)) == .accepted)
    return terms.id
  }

  // MARK: Records

  /// The record of epoch `met + violated − 1` of an activation of ``terms(rules:cap:number:serviceTimes:)``.
  func record(
    _ id: ActivationID, terms: ContractTerms = terms(), met: UInt64, violated: UInt64 = 0, booked: UInt64 = 10
  ) throws -> JointRecord {
    var epochs = EpochCounters()
    epochs.met = met
    epochs.violated = violated
    var rule = RuleCounters()
    rule.met = met
    rule.violated = violated
    let account = SegmentAccount(
      ruleCounters: [rule], epochCounters: epochs, amountDue: try terms.amountDue(epochs),
      penaltiesDue: try terms.penaltiesDue([rule], bookedEpochs: booked))
    return JointRecord(
      activation: id, epoch: met + violated - 1, customerReceipts: .zero, operatorReceipts: .zero, verdicts: [.met],
      segments: [account], missing: [], account: .zero, previous: .zero)
  }

  /// The record of the last epoch of several segments, each given by its MET and VIOLATED epochs and what was booked.
  func record(
    _ id: ActivationID, segments: [(terms: ContractTerms, met: UInt64, violated: UInt64, booked: UInt64)]
  ) throws -> JointRecord {
    var record = try self.record(id, met: 1)
    let parts = try segments.map {
      try self.record(id, terms: $0.terms, met: $0.met, violated: $0.violated, booked: $0.booked)
    }
    record.segments = parts.flatMap(\.segments)
    record.epoch = segments.reduce(0) { $0 + $1.met + $1.violated } - 1
    return record
  }

  func signed(
    _ record: JointRecord, enclave: String = "hospital enclave", edge: String = "operator-0 edge"
  ) -> SignedRecord {
    SignedRecord(
      byEnclave: Envelope(signing: record, with: Self.key(enclave), network: genesis.networkID),
      byEdge: Envelope(signing: record, with: Self.key(edge), network: genesis.networkID))
  }

  func agreement(
    _ id: ActivationID, _ record: JointRecord?, customer: String = "hospital treasury",
    operatorKey: String = "operator-0 controller"
  ) -> Action {
    let agreement = SettlementAgreement(activation: id, record: record)
    return .settleAgreed(
      byCustomer: Envelope(signing: agreement, with: Self.key(customer), network: genesis.networkID),
      byOperator: Envelope(signing: agreement, with: Self.key(operatorKey), network: genesis.networkID))
  }

  func ended(_ id: ActivationID) -> ActivationChange? { archive.first { $0.record.id == id }?.record.change }

  func balance(_ name: String) -> Amount { state.balance(of: Self.organisation(name)) ?? 0 }
}
