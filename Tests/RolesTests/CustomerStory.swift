import Effects
import Messages
import Testing

@testable import Roles
@testable import Signing

/// The hospital, buying one operation, against a ledger that runs its transactions.
struct CustomerStory {
  var chain: Chain
  var driver: Driver<CustomerCore>
  static let contract = ActorAddress.contract(Chain.terms.id)
  static let enclave = ActorAddress(.enclave, "console")
  static let controller = ActorAddress(.controller, "alpha")

  static let operation = PlannedActivation(
    label: "operation", offer: .contract(Chain.terms), at: .zero, startWithin: .seconds(60), epochs: Chain.epochs,
    cell: "cell-1", peer: "robot", enclave: "console", up: .silent, down: .silent)

  /// The clinic's end of a flow that the hospital pays for.
  static let consultation = AcceptedFlow(
    label: "consultation", payer: Chain.organisation("hospital"), contracts: [Chain.terms], cell: "cell-2",
    enclave: "screen", nearEnclave: enclave, traffic: .silent)

  /// Of the operation's plan where the clinic is the peer.
  static let clinic = PlannedFarEnd(
    customer: ActorAddress(.customer, "clinic"), enclave: ActorAddress(.enclave, "screen"))

  static func configuration(
    _ name: String, _ genesis: Genesis, plan: [PlannedActivation], acceptances: [AcceptedFlow] = []
  ) -> CustomerCore.Configuration {
    CustomerCore.Configuration(
      name: name, genesis: genesis, treasuryKey: Chain.key("\(name) treasury"), validators: Chain.validators,
      plan: plan, acceptances: acceptances,
      controllers: [
        Chain.organisation("alpha"): controller, Chain.organisation("beta"): ActorAddress(.controller, "beta"),
      ],
      edges: [
        Chain.edgeKey: ActorAddress(.edge, "alpha-1"), Chain.otherEdgeKey: ActorAddress(.edge, "alpha-2"),
      ],
      hostPort: .loopback(port: 9), enclavePorts: ["console": .loopback(port: 10), "screen": .loopback(port: 11)],
      entropy: [])
  }

  /// A customer whose every life draws new entropy.
  static func driver(_ configuration: CustomerCore.Configuration) throws -> Driver<CustomerCore> {
    var lives: UInt8 = 0
    return try Driver(at: Chain.start) { records in
      lives += 1
      var configuration = configuration
      configuration.entropy = [UInt8](repeating: lives, count: 32)
      return try CustomerCore(configuration, recovering: records)
    }
  }

  /// - Parameters:
  ///   - isAttested: the enclave stands on the ledger already.
  ///   - change: of the plan.
  init(isAttested: Bool = true, _ change: (inout PlannedActivation) -> Void = { _ in }) throws {
    let chain = try Chain()
    var plan = Self.operation
    change(&plan)
    self.chain = chain
    driver = try Self.driver(Self.configuration("hospital", chain.genesis, plan: [plan]))
    if isAttested { try self.chain.offer() } else { try self.chain.append() }
    driver.start(self.chain)
    driver.wait(self.chain.state.time - Chain.start)
  }

  mutating func block(_ transactions: [SignedTransaction] = [], after span: Span = .milliseconds(500)) throws {
    driver.publish(try chain.append(transactions, after: span))
  }

  mutating func answerEvidence() { driver.answerEvidence(chain, of: "hospital") }

  /// Takes the order the customer sent.
  mutating func takeOrder() throws -> SignedTransaction { try driver.takeOrder() }

  /// RESERVED, with four epochs from two seconds after now on.
  mutating func reserved(after span: Span = .seconds(2)) throws -> ActivationID {
    answerEvidence()
    let order = try takeOrder()
    try block([order])
    let id = ActivationID(order.id)
    let confirmation = SliceConfirmation(
      activation: id, planHash: .zero, startAt: chain.state.time + span, edge: Chain.edgeKey)
    try block([chain.sign(.confirmSlice(confirmation), by: "alpha controller")])
    return id
  }

  mutating func serving() throws -> ActivationID {
    let id = try reserved()
    driver.answer(.success(.acknowledged)) { $0.message.isOpenSession }
    return id
  }

  func status(_ id: ActivationID, met: UInt64, of epochs: UInt64 = Chain.epochs) throws -> Message {
    .enclaveStatus(
      EnclaveStatus(
        activation: id, phase: met == epochs ? .finished : .closing, epoch: nil,
        record: met == 0 ? nil : try chain.record(id, met: met)))
  }

  mutating func serviceOver() throws { for _ in 0..<16 { try block() } }

  /// Time passes on the ledger and at the customer, which asks as it does.
  mutating func blocks(for span: Span) throws {
    let end = chain.state.time + span
    while chain.state.time < end {
      driver.wait(.milliseconds(500))
      try block()
    }
  }

  var stage: String { driver.core.progress[0].stage }

  /// What the customer says of its operation, CAMARA's name first.
  mutating func status() -> String? {
    let token = driver.ask(.getStatus)
    guard case .success(.status(let items))? = driver.replies[token] else { return nil }
    return items.first { $0.name == "purchase.operation" }?.value
  }
}

extension Driver where Core == CustomerCore {
  mutating func answerEvidence(_ chain: Chain, of customer: String) {
    guard let request = requests.first(where: { $0.message.isEvidenceQuestion }),
      case .getEvidence(let nonce) = request.message
    else { return }
    answer(.success(.evidence(chain.evidence(nonce: nonce, of: customer)))) { $0.id == request.id }
  }

  /// Takes the order the customer sent.
  mutating func takeOrder() throws -> SignedTransaction {
    let request = try #require(requests.last { $0.message.isActivate })
    guard case .activate(let transaction) = request.message else { throw RemoteError(.notFound) }
    answer(.success(Chain.acknowledgement(of: transaction, by: request.to))) { $0.id == request.id }
    return transaction
  }

  /// The transaction of that kind that waits for a member's answer, which it gets.
  mutating func takeStatement(_ matches: (Action) -> Bool) -> SignedTransaction? {
    for request in requests {
      guard case .submit(let transaction) = request.message, matches(transaction.transaction.action) else { continue }
      answer(.success(Chain.acknowledgement(of: transaction, by: request.to))) { $0.id == request.id }
      return transaction
    }
    return nil
  }

  /// The latest message to the enclave that `pick` takes, acknowledged.
  mutating func takeMessage<Value>(_ pick: (Message) -> Value?) -> Value? {
    guard let request = requests.last(where: { pick($0.message) != nil }) else { return nil }
    answer(.success(.acknowledged)) { $0.id == request.id }
    return pick(request.message)
  }
}
