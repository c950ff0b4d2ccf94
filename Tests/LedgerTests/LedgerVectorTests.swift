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
    let world = try World()
    let network = world.genesis.networkID
    let record = try world.record(Self.activation, met: 3, violated: 1)
    let actions: [(String, Action)] = [
      ("Enrol", .enrol(Enrolment(key: World.key("fresh").publicKey, role: .edge))),
      ("DeployContract", .deployContract(Self.richTerms)),
      ("SetContractStatus", .setContractStatus(Self.richTerms.id, .inactive)),
      ("RegisterEnclave", .registerEnclave(world.evidence(enclave: "hospital enclave"))),
      ("Transfer", .transfer(to: World.organisation("platoon"), amount: 250)),
      ("Activate", .activate(world.order(Self.richTerms.id))),
      ("ConfirmSlice", .confirmSlice(world.confirmation(Self.activation))),
      ("RejectSlice", .rejectSlice(Self.rejection)),
      ("Terminate", .terminate(Self.activation)),
      ("Settle, agreed", world.agreement(Self.activation, record)),
      ("Settle, agreed without a record", world.agreement(Self.activation, nil)),
      ("Settle, by a record", .settleByRecord(Self.activation, world.signed(record))),
      ("Settle, without a record", .settleByRecord(Self.activation, nil)),
    ]
    let numbers = Set(actions.map(\.1.number))
    #expect(numbers.sorted() == [1, 2, 3, 4, 5, 20, 21, 22, 23, 24, 25], "an action has no vector")
    var vectors: [EnvelopeVector] = []
    for (index, (name, action)) in actions.enumerated() {
      let transaction = Transaction(nonce: UInt64(index) << 60 | 7, expiry: 100, action: action)
      #expect(try Transaction(decoding: transaction.encoded) == transaction)
      vectors.append(try EnvelopeVector(name, signing: transaction, seed: Self.seed, network: network))
    }
    try Fixtures.check(
      "messages-transactions",
      about: "Every transaction of the ledger. Envelopes inside them are of the simulator's signature scheme.", vectors)
  }

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
