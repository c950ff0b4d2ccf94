import FixtureSupport
import Ledger
import Messages
import Signing
import Testing

/// The bytes of every transaction and of a genesis, for whoever writes a second implementation.
@Suite struct LedgerVectorTests {
  private static let activation = ActivationID(Digest(hashing: [1]))
  private static let seed = Digest(hashing: Array("author".utf8)).bytes

  @Test func transactions() throws {
    var world = try World()
    let network = world.genesis.networkID
    let record = try world.record(Self.activation, met: 3, violated: 1)
    guard case .activate(let flow) = world.signFlow(world.flowOrder(Self.richTerms.id)).transaction.action else {
      Issue.record("no order")
      return
    }
    let actions: [(String, Action)] = [
      ("Enrol", .enrol(Enrolment(key: World.key("fresh").publicKey, role: .edge))),
      ("DeployContract", .deployContract(Self.richTerms)),
      ("SetContractStatus", .setContractStatus(Self.richTerms.id, .inactive)),
      ("RegisterEnclave", .registerEnclave(world.evidence(enclave: "hospital enclave"))),
      ("Transfer", .transfer(to: World.organisation("platoon"), amount: 250)),
      ("Activate", .activate(world.order(Self.richTerms.id))),
      ("Activate, two customers", .activate(flow)),
      ("ConfirmSlice", .confirmSlice(world.confirmation(Self.activation))),
      ("ConfirmSlice, two edges", .confirmSlice(world.confirmation(Self.activation, peerEdge: "operator-0 edge 2"))),
      ("RejectSlice", .rejectSlice(Self.rejection)),
      ("Terminate", .terminate(Self.activation)),
      ("Settle, agreed", world.agreement(Self.activation, record)),
      ("Settle, agreed without a record", world.agreement(Self.activation, nil)),
      ("Settle, by a record", .settleByRecord(Self.activation, world.signed(record))),
      ("Settle, without a record", .settleByRecord(Self.activation, nil)),
      ("Extend", world.extend(world.segmentOrder(Self.activation, Self.richTerms.id))),
      ("Renegotiate", world.renegotiate(world.segmentOrder(Self.activation, World.terms().id))),
      ("HandOver", world.handover(Self.activation, from: 6)),
      ("AnnounceMaintenance", .announceMaintenance(Self.maintenance)),
    ]
    let all = try actions + Self.demands(world, record)
    let numbers = Set(all.map(\.1.number))
    #expect(numbers.sorted() == Array(1...5) + Array(10...18) + Array(20...25), "an action has no vector")
    var vectors: [EnvelopeVector] = []
    for (index, (name, action)) in all.enumerated() {
      let transaction = Transaction(nonce: UInt64(index) << 60 | 7, expiry: 100, action: action)
      #expect(try Transaction(decoding: transaction.encoded) == transaction)
      vectors.append(try EnvelopeVector(name, signing: transaction, seed: Self.seed, network: network))
    }
    try Fixtures.check(
      "messages-transactions",
      about: "Every transaction of the ledger. Envelopes inside them are of the simulator's signature scheme.", vectors)
  }

  /// Demands, their answers and disputes.
  private static func demands(_ world: World, _ record: JointRecord) throws -> [(String, Action)] {
    let signed = world.signed(record)
    let base = AccountBase(record: signed, state: [1, 2, 3])
    let (mine, theirs) = (world.commitment(activation, .customer), world.commitment(activation, .networkOperator))
    let other = world.commitment(activation, .networkOperator, receipts: Digest(hashing: [1]))
    let receipts = ReceiptSet([])
    let proof = ServiceProof(activation: activation, receipts: receipts, record: signed)
    let post = RecordPost(activation: activation, epoch: 0, commitment: theirs, receipts: receipts)
    let again = DisputeCase.recompute(base: base, customer: receipts, networkOperator: receipts)
    return [
      ("DemandService", .demandService(activation)),
      ("StartService", .startService(proof)),
      ("DemandRecord", .demandRecord(RecordDemand(base: base, commitment: mine, other: theirs))),
      ("DemandRecord, first epoch", .demandRecord(RecordDemand(base: nil, commitment: mine, other: nil))),
      ("PostRecord", .postRecord(post)),
      ("Dispute, computed again", .dispute(Dispute(activation: activation, grounds: again))),
      (
        "Dispute, two statements",
        .dispute(Dispute(activation: activation, grounds: .contradiction(theirs, other)))
      ),
    ]
  }

  private static let maintenance = Maintenance(
    window: TimeWindow(from: World.start + .seconds(60), to: World.start + .seconds(90)), cells: ["cell-1"])

  private struct GenesisVector: Codable {
    var name: String
    var genesis: String
    var networkID: String
    /// Root of the state before the first block.
    var stateRoot: String
  }

  @Test func genesis() throws {
    let genesis = World.genesis(operators: 4, parameters: .standard, credit: World.credit)
    #expect(try Genesis(decoding: genesis.encoded) == genesis)
    let vector = GenesisVector(
      name: "four operators, a regulator, two customers", genesis: Hexadecimal.encode(genesis.encoded),
      networkID: genesis.networkID.hexadecimal, stateRoot: try LedgerState(genesis: genesis).root.hexadecimal)
    try Fixtures.check(
      "genesis",
      about: "A genesis, its SHA-256 (the network id) and the root of the ledger's state before the first block.",
      [vector])
  }

  private static let rejection = SliceRejection(
    activation: activation, reason: .delay,
    recommended: RecommendedRequirements(
      throughputUp: 500_000, throughputDown: 400_000, maximumDelay: .milliseconds(12), from: World.start))

  /// Every optional field is there, every list has something in it.
  private static let richTerms: ContractTerms = {
    var delay = World.lossRule
    delay.metric = .oneWayDelay
    delay.statistic = .p999
    delay.direction = .down
    delay.reference = 5_000_000
    delay.tolerance = 10_000
    delay.window = 5
    delay.minimumSamples = 1_000
    return World.terms(
      rules: [World.lossRule, delay], cap: 500,
      serviceTimes: [TimeWindow(from: World.start, to: World.start + .seconds(3_600))])
  }()
}
