import Effects
import Messages
import Slicing
import Testing

@testable import Roles
@testable import Signing

/// The controller of `alpha` against a ledger that runs its transactions, and edges and domain managers that do as
/// they are told, one message at a time.
struct ControllerStory {
  static let nearEdge = ActorAddress(.edge, "alpha-1")
  static let farEdge = ActorAddress(.edge, "alpha-2")
  static let controllerName = "alpha"

  var chain: Chain
  var driver: Driver<ControllerCore>
  private var lastNonce: UInt64 = 7_000

  /// - Parameters:
  ///   - domains: those that have a manager.
  ///   - maintenance: to be announced.
  ///   - offers: contracts besides ``Chain/terms``.
  init(
    domains: [ResourceDomain] = [], maintenance: [ControllerCore.PlannedMaintenance] = [],
    offers: [ContractTerms] = []
  ) throws {
    let chain = try Chain()
    let configuration = ControllerCore.Configuration(
      name: Self.controllerName, genesis: chain.genesis, organisation: Chain.organisation("alpha"),
      key: Chain.key("alpha controller"), validators: Chain.validators, contracts: [Chain.terms] + offers,
      substrate: try Self.substrate(),
      edges: [
        ControllerCore.EdgePlace(address: Self.nearEdge, key: Chain.edgeKey, cells: ["cell-1"], peers: ["robot"]),
        ControllerCore.EdgePlace(address: Self.farEdge, key: Chain.otherEdgeKey, cells: ["cell-2"], peers: []),
      ],
      domains: domains.map { ControllerCore.DomainPlace(domain: $0, address: .domain($0, of: "alpha")) },
      maintenance: maintenance, entropy: [UInt8](repeating: 1, count: 32))
    self.chain = chain
    var lives: UInt8 = 0
    driver = try Driver(at: Chain.start) { records in
      lives += 1
      var configuration = configuration
      configuration.entropy = [UInt8](repeating: lives, count: 32)
      return try ControllerCore(configuration, recovering: records)
    }
    try self.chain.offer()
    driver.start(self.chain)
    driver.wait(self.chain.state.time - Chain.start)
    if !offers.isEmpty || !maintenance.isEmpty { try settleSubmissions() }
  }

  /// Room for ten slices of ``Chain/terms`` from either cell, and between them.
  static func substrate() throws -> Substrate {
    func link(_ from: Int, _ to: Int, _ domain: ResourceDomain, _ delay: Span) -> SubstrateLink {
      SubstrateLink(
        from: NodeID(from), to: NodeID(to), domain: domain, forwardCapacity: 10_000_000, backwardCapacity: 10_000_000,
        delay: delay, loss: 0, cost: 1)
    }
    return try Substrate(
      nodes: [
        SubstrateNode(name: "cell-1", domain: .radio, attachment: .cell),
        SubstrateNode(name: "switch", domain: .transport),
        SubstrateNode(name: "robot", domain: .compute, attachment: .endpoint),
        SubstrateNode(name: "cell-2", domain: .radio, attachment: .cell),
        SubstrateNode(name: "core", domain: .transport),
      ],
      links: [
        link(0, 1, .radio, .microseconds(500)), link(1, 4, .transport, .microseconds(250)),
        link(4, 2, .compute, .microseconds(250)), link(3, 1, .radio, .milliseconds(2)),
      ])
  }

  // MARK: The ledger

  mutating func block(_ transactions: [SignedTransaction] = [], after span: Span = .milliseconds(500)) throws {
    driver.publish(try chain.append(transactions, after: span))
    driver.wait(.zero)
  }

  /// Puts what the controller sent into a block, soon enough for the start that a confirmation names.
  mutating func settleSubmissions(after span: Span = .milliseconds(100)) throws {
    try block(driver.takeSubmissions().map(\.transaction), after: span)
  }

  /// What the controller sent, oldest first.
  mutating func takeActions() -> [Action] { driver.takeSubmissions().map(\.transaction.transaction.action) }

  mutating func requested() throws -> ActivationID {
    let order = chain.order()
    try block([order])
    return ActivationID(order.id)
  }

  /// By the hospital, countersigned by the clinic.
  mutating func orderBetweenTwo(epochs: UInt64 = Chain.epochs, peerCell: String = "cell-2") -> SignedTransaction {
    lastNonce += 1
    var order = ActivationOrder(
      contract: Chain.terms.id, epochs: epochs, earliestStart: chain.state.time,
      latestStart: chain.state.time + .seconds(60), cell: "cell-1", peer: "clinic",
      enclaves: [Chain.enclaveKey, Chain.key("clinic enclave").publicKey], peerCell: peerCell)
    let consent = ActivationConsent(
      payer: Chain.key("hospital treasury").publicKey, nonce: lastNonce, expiry: chain.state.height + 100,
      order: order.consentDigest)
    order.consent = Envelope(
      signing: consent, with: Chain.key("clinic treasury"), network: chain.genesis.networkID)
    return SignedTransaction(
      signing: Transaction(nonce: lastNonce, expiry: chain.state.height + 100, action: .activate(order)),
      with: Chain.key("hospital treasury"), network: chain.genesis.networkID)
  }

  mutating func requestedBetweenTwo(epochs: UInt64 = Chain.epochs, peerCell: String = "cell-2") throws -> ActivationID {
    let order = orderBetweenTwo(epochs: epochs, peerCell: peerCell)
    try block([order])
    #expect(chain.results[order.id] == .accepted)
    return ActivationID(order.id)
  }

  /// RESERVED, and the edge serves.
  mutating func serving() throws -> ActivationID {
    let id = try requested()
    obeyAll { $0.isAllocation }
    try settleSubmissions()
    obeyAll()
    return id
  }

  mutating func servingBetweenTwo(epochs: UInt64 = Chain.epochs) throws -> ActivationID {
    let id = try requestedBetweenTwo(epochs: epochs)
    obeyAll { $0.isAllocation }
    try settleSubmissions()
    obeyAll()
    return id
  }

  /// Until epoch 0 has begun.
  mutating func begin() throws { for _ in 0..<4 { try block() } }

  /// Blocks until the chain's time is past every epoch.
  mutating func serviceOver() throws { for _ in 0..<16 { try block() } }

  // MARK: Edges and domains

  static func port(of edge: ActorAddress) -> DataAddress { .loopback(port: edge == nearEdge ? 4_001 : 4_002) }

  /// Edges and domain managers do what they are told, until they have been told all.
  /// - Returns: what they were told, in order.
  @discardableResult
  mutating func obeyAll(_ matches: (Message) -> Bool = { _ in true }) -> [(to: ActorAddress, message: Message)] {
    var told: [(ActorAddress, Message)] = []
    while let request = driver.requests.first(where: { $0.message.isOrder && matches($0.message) }) {
      let isOpening = request.message.isOpenService
      driver.answer(.success(isOpening ? .serviceOpened(Self.port(of: request.to)) : .acknowledged)) {
        $0.id == request.id
      }
      told.append((request.to, request.message))
    }
    return told
  }

  /// Answers every open question for a report until something is submitted or nothing is asked.
  mutating func answerReports(_ report: Message) {
    while driver.count(\.isSubmission) == 0 {
      guard driver.answer(.success(report), { $0.message.isServiceReportQuestion }) else { return }
    }
  }

  func report(_ id: ActivationID, met: UInt64) throws -> Message {
    .serviceReport(
      ServiceReport(activation: id, record: try chain.record(id, met: met), isFinished: met == Chain.epochs))
  }

  // MARK: The database

  var slices: [SliceRecord] {
    (driver.disk[SliceRecord.stream] ?? [:]).sorted { $0.key < $1.key }.compactMap {
      try? SliceRecord(decoding: $0.value)
    }
  }

  var carriers: Int { driver.disk[ControllerCore.Stream.carriers]?.count ?? 0 }
}

extension Message {
  var isSubmission: Bool { if case .submit = self { true } else { false } }
  var isAllocation: Bool { if case .allocateSubnet = self { true } else { false } }
  var isSubnetRelease: Bool { if case .releaseSubnet = self { true } else { false } }
  var isRecordSubmission: Bool { if case .submitRecord = self { true } else { false } }
  var isMaterialQuestion: Bool { if case .getEpochMaterial = self { true } else { false } }

  /// What an edge or a domain manager acknowledges.
  var isOrder: Bool {
    switch self {
    case .openService, .closeService, .endSession, .routeService, .updateBooking, .settleEpoch, .allocateSubnet,
      .releaseSubnet:
      true
    default: false
    }
  }
}
