import Ledger
import Messages
import Roles
import Slicing

@testable import Signing

/// The ledger of four operators and two customers, and its final blocks, made by executing transactions.
/// Signatures are the simulator's and certificates are empty: what reaches a core was verified before.
struct Chain {
  static func key(_ name: String) -> SigningKey {
    do {
      return try SigningKey(seed: Digest(hashing: Array(name.utf8)).bytes, scheme: .simulated)
    } catch {
      preconditionFailure("no memory for the key of \(name)")
    }
  }

  static func organisation(_ name: String) -> OrganisationID { OrganisationID(key(name).publicKey) }

  static let start = Instant(nanoseconds: 1_700_000_000_000_000_000)
  static let measurement = Digest(hashing: [1, 2, 3])
  static let operators = ["alpha", "beta", "gamma", "delta"]
  static let validators = operators.map { ActorAddress(.validator, $0) }

  let genesis = Chain.genesis()
  private(set) var state: LedgerState
  private(set) var segments: [LedgerSegment] = []
  private(set) var results: [Digest: TransactionResult] = [:]
  private var tip: Digest
  private var nonce: UInt64 = 1 << 32

  init() throws {
    state = try LedgerState(genesis: genesis)
    tip = genesis.networkID
  }

  private static func genesis() -> Genesis {
    let organisations = operators.map { name in
      Organisation(
        id: organisation(name), name: name, kind: .networkOperator, credit: 1_000_000,
        keys: [
          Enrolment(key: key("\(name) controller").publicKey, role: .controller),
          Enrolment(key: key("\(name) edge").publicKey, role: .edge),
          Enrolment(key: key("\(name) other edge").publicKey, role: .edge),
        ])
    }
    let customers = ["hospital", "clinic"].map { name in
      Organisation(
        id: organisation(name), name: name, kind: .customer, credit: 1_000_000,
        keys: [Enrolment(key: key("\(name) treasury").publicKey, role: .treasury)])
    }
    return Genesis(
      salt: [UInt8](repeating: 7, count: Genesis.saltBytes), scheme: .simulated, time: start, parameters: .standard,
      members: operators.map {
        Member(name: $0, key: key("\($0) validator").publicKey, organisation: organisation($0), leads: true)
      },
      organisations: organisations + customers, platformKeys: [key("platform").publicKey])
  }

  /// A member's answer to a submission.
  static func acknowledgement(of transaction: SignedTransaction, by member: ActorAddress) -> Message {
    let promise = SubmissionAcknowledgement(transaction: transaction.id, era: 0, view: 9)
    // A contract's actor passes on what some member says.
    let name = member.role == .validator ? member.name : validators[0].name
    return .submitted(SignedMessage(signing: promise, with: key("\(name) validator"), network: .zero))
  }

  /// Executes the transactions in one block and makes it final.
  @discardableResult
  mutating func append(
    _ transactions: [SignedTransaction] = [], after span: Span = .milliseconds(500)
  ) throws -> LedgerSegment {
    let (height, time) = (state.height + 1, state.time + span)
    let leader = MemberIndex(state.height % 4)
    let executed = try state.executing(
      transactions,
      in: BlockContext(
        era: 0, view: height, height: height, time: time, leader: Int(leader), parentHash: tip))
    state = executed.state
    return seal(transactions, executed.outcomes, at: time)
  }

  /// A block whose outcomes are invented: what followers read of a quorum's word, without the receipts that it takes to
  /// convince a ledger. Its own transactions do nothing.
  @discardableResult
  mutating func invent(
    _ transactions: [SignedTransaction] = [], events: [LedgerEvent] = [], after span: Span = .milliseconds(500)
  ) throws -> LedgerSegment {
    let time = state.time + span
    state = try state.executing(
      [],
      in: BlockContext(
        era: 0, view: state.height + 1, height: state.height + 1, time: time, leader: Int(state.height % 4),
        parentHash: tip)
    ).state
    let results = transactions.map { _ in TransactionResult.accepted }
    return seal(transactions, BlockOutcomes(results: results, events: events), at: time)
  }

  private mutating func seal(
    _ transactions: [SignedTransaction], _ outcomes: BlockOutcomes, at time: Instant
  ) -> LedgerSegment {
    let height = state.height
    let body = BlockBody(transactions: transactions.map(\.envelope), outcomes: outcomes)
    for (transaction, result) in zip(transactions, outcomes.results) { results[transaction.id] = result }
    let block = Block(
      header: BlockHeader(
        era: 0, view: height, parentView: height - 1, height: height, parentHash: tip, time: time,
        leader: MemberIndex((height - 1) % 4),
        transactionsRoot: body.transactionsRoot, outcomesRoot: body.outcomesRoot, stateRoot: state.root,
        parentCertificate: nil, skipped: []),
      body: body)
    tip = block.hash
    let finalize = Ballot.finalize(block.header.proposition(hash: tip))
    let segment = LedgerSegment(blocks: [block], finalization: Certificate(ballot: finalize, votes: []))
    segments.append(segment)
    return segment
  }

  mutating func sign(_ action: Action, by name: String) -> SignedTransaction {
    nonce += 1
    return SignedTransaction(
      signing: Transaction(nonce: nonce, expiry: state.height + Transaction.orderLifetime, action: action),
      with: Self.key(name),
      network: genesis.networkID)
  }

  // MARK: One offer

  static let terms = ContractTerms(
    operatorID: organisation("alpha"), deploymentNumber: 1,
    service: ServiceTerms(
      profile: "remote-surgery", guaranteedUp: 1_000_000, guaranteedDown: 1_000_000, maximumUp: 2_000_000,
      maximumDown: 2_000_000, maximumPacketBytes: 1_400, functionChain: [], sharing: .shared),
    rules: [
      Rule(
        metric: .lossRatio, statistic: .value, direction: .up, comparison: .atMost, reference: 10_000, tolerance: 0,
        window: 1, minimumSamples: 0, penalty: 3)
    ],
    context: ContextTerms(
      serviceTimes: [], serviceArea: ["cell-1", "cell-2"], allowedPeers: ["robot", "clinic"], minimumEpochs: 2,
      maximumEpochs: 100),
    money: MoneyTerms(
      pricePerEpoch: 10, reservationFee: 7, terminationPenalty: 40, inconclusiveShare: 500_000,
      contestedShare: 250_000, penaltyCap: nil),
    metering: MeteringTerms(
      epoch: .seconds(1), grace: .milliseconds(200), maximumTransit: .milliseconds(100),
      delaySpread: .milliseconds(50), clockErrorBound: .milliseconds(5), histogram: .standard, gated: true,
      minimumAttestationLevel: .software, allowedMeasurements: [measurement]),
    deadlines: DeadlineTerms(
      confirmWithin: .seconds(60), startLead: .seconds(1), settlementWindow: .seconds(20), settleWithin: .seconds(60),
      answerWithin: .seconds(10), demandWithin: .seconds(30)))

  static let epochs: UInt64 = 4
  static let enclaveKey = key("hospital enclave").publicKey
  static let edgeKey = key("alpha edge").publicKey
  static let otherEdgeKey = key("alpha other edge").publicKey

  func evidence(nonce: Digest, of customer: String = "hospital") -> Envelope {
    Envelope(
      signing: AttestationEvidence(
        nonce: nonce, measurement: Self.measurement, receiptKey: Self.key("\(customer) enclave").publicKey,
        platform: Self.key("platform").publicKey, bootCount: 1, level: .software),
      with: Self.key("platform"), network: genesis.networkID)
  }

  /// The contract is deployed, the enclave registered.
  mutating func offer() throws {
    try append()
    let transactions = [
      sign(.deployContract(Self.terms), by: "alpha controller"),
      sign(.registerEnclave(evidence(nonce: tip)), by: "hospital treasury"),
      sign(.registerEnclave(evidence(nonce: tip, of: "clinic")), by: "clinic treasury"),
    ]
    try append(transactions)
  }

  /// Room for ten slices of ``terms`` between the cell and the robot.
  static func substrate() throws -> Substrate {
    try Substrate(
      nodes: [
        SubstrateNode(name: "cell-1", domain: .radio, attachment: .cell, computeUnits: 0, functions: []),
        SubstrateNode(name: "robot", domain: .transport, attachment: .endpoint, computeUnits: 0, functions: []),
      ],
      links: [
        SubstrateLink(
          from: NodeID(0), to: NodeID(1), domain: .transport, forwardCapacity: 10_000_000, backwardCapacity: 10_000_000,
          delay: .milliseconds(1), loss: 0, cost: 1)
      ])
  }

  mutating func order(
    latestStart: Span = .seconds(60), peer: String = "robot", under terms: ContractTerms = terms
  ) -> SignedTransaction {
    sign(
      .activate(
        ActivationOrder(
          contract: terms.id, epochs: Self.epochs, earliestStart: state.time,
          latestStart: state.time + latestStart, cell: "cell-1", peer: peer, enclaves: [Self.enclaveKey])),
      by: "hospital treasury")
  }

  /// The record of an activation whose first epochs all were met, signed by both.
  func record(_ id: ActivationID, met: UInt64) throws -> SignedRecord {
    var epochs = EpochCounters()
    epochs.met = met
    var rule = RuleCounters()
    rule.met = met
    let record = JointRecord(
      activation: id, epoch: met - 1, customerReceipts: .zero, operatorReceipts: .zero, verdicts: [.met],
      segments: [
        SegmentAccount(
          ruleCounters: [rule], epochCounters: epochs, amountDue: try Self.terms.amountDue(epochs), penaltiesDue: 0)
      ], missing: [], account: .zero, previous: .zero)
    return SignedRecord(
      byEnclave: Envelope(signing: record, with: Self.key("hospital enclave"), network: genesis.networkID),
      byEdge: Envelope(signing: record, with: Self.key("alpha edge"), network: genesis.networkID))
  }
}
