import Effects
import Ledger
import Messages
import Roles
import Signing

/// Operators and regulators that keep one ledger, and one customer who pays another: no slices, no meters, so that a
/// hundred views are a matter of milliseconds. What consensus promises is tried here; what a contract promises, in a
/// ``Simulation``.
public struct MemberSimulation: Sendable {
  public let genesis: Genesis
  /// In member order.
  public let validators: [ActorAddress]
  /// The members' own, in member order: for those that are made to lie.
  public let keys: [SigningKey]
  public let transfers: [SignedTransaction]
  /// Between two submissions.
  public let interval: Span

  public static let payee = "payee"
  static let payer = ActorAddress(.client, "payer")
  public init(
    operators: Int = 4, regulators: Int = 2, transfers count: Int = 40, interval: Span = .milliseconds(100)
  ) throws {
    func key(_ name: String) throws -> SigningKey {
      try SigningKey(seed: Digest(label: name, []).bytes, scheme: .simulated)
    }
    let names = (0..<operators).map { "operator-\($0)" } + (0..<regulators).map { "regulator-\($0)" }
    let keys = try names.map { try key("validator \($0)") }
    let identities = try (names + ["payer", Self.payee]).map { OrganisationID(try key($0).publicKey) }
    var members: [Member] = []
    var organisations: [Organisation] = []
    for (index, name) in names.enumerated() {
      members.append(
        Member(
          name: name, key: keys[index].publicKey, organisation: identities[index], leads: index < operators))
      organisations.append(
        Organisation(
          id: identities[index], name: name, kind: index < operators ? .networkOperator : .regulator, credit: 0,
          keys: [Enrolment(key: keys[index].publicKey, role: .validator)]))
    }
    let treasury = try key("treasury")
    organisations.append(
      Organisation(
        id: identities[names.count], name: "payer", kind: .customer, credit: Amount(max(1_000, count)),
        keys: [Enrolment(key: treasury.publicKey, role: .treasury)]))
    let payee = identities[names.count + 1]
    organisations.append(Organisation(id: payee, name: Self.payee, kind: .customer, credit: 0, keys: []))
    let genesis = Genesis(
      salt: [UInt8](repeating: 3, count: Genesis.saltBytes), scheme: .simulated, time: World.start - .seconds(1),
      parameters: .standard, members: members, organisations: organisations, platformKeys: [])
    self.genesis = genesis
    self.keys = keys
    self.interval = interval
    validators = names.map { ActorAddress(.validator, $0) }
    transfers = (0..<count).map { number in
      SignedTransaction(
        signing: Transaction(
          nonce: UInt64(number), expiry: Transaction.maximumLifetime, action: .transfer(to: payee, amount: 1)),
        with: treasury, network: genesis.networkID)
    }
  }

  /// A world in which nothing has happened yet.
  /// - Parameters:
  ///   - remembers: false for members that are made anew without their records, which no honest one is.
  ///   - history: how much of the past the members keep.
  ///   - disguise: what takes a member's place.
  public func world(
    seed: UInt64, conditions: NetworkConditions = .calm, faults: [Fault] = [], remembers: Bool = true,
    history: HistoryPolicy = HistoryPolicy(),
    disguise: @escaping (ValidatorCore) -> any RoleCore = { $0 }
  ) -> World {
    let seats = validators.indices.map { index in
      var configuration = ValidatorCore.Configuration(genesis: genesis, member: MemberIndex(index), key: keys[index])
      configuration.history = history
      return ActorSeat(validators[index]) { [configuration] _, records in
        disguise(try ValidatorCore(configuration, recovering: remembers ? records : []))
      }
    }
    let payer = ActorSeat(Self.payer) { [self] _, _ in
      PayerCore(address: Self.payer, transfers: transfers, validators: validators, interval: interval)
    }
    return World(
      seed: seed, conditions: conditions, context: genesis.verificationContext, seats: seats + [payer],
      faults: faults)
  }

  /// Whether every member that is up has every transfer, and nothing is wrong any more.
  public func isSettled(_ world: World) -> Bool {
    guard world.calmSince != nil else { return false }
    let ledgers = world.ledgers(of: validators)
    let whole = Amount(transfers.count)
    return !ledgers.isEmpty && ledgers.allSatisfy { $0?.account(named: Self.payee)?.balance == whole }
  }
}

/// Sends a transfer of one minor unit every `interval`, through one member after another; when it has sent all, begins
/// again: a member that lost one in a crash hears of it again. Follows nothing: the members' own ledgers say what came
/// of it.
struct PayerCore: RoleCore {
  let address: ActorAddress
  let transfers: [SignedTransaction]
  let validators: [ActorAddress]
  let interval: Span
  private var next = 0
  private var requests: UInt64 = 0

  var subscriptions: [Subscription] { [] }

  init(address: ActorAddress, transfers: [SignedTransaction], validators: [ActorAddress], interval: Span) {
    self.address = address
    self.transfers = transfers
    self.validators = validators
    self.interval = interval
  }

  mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
    switch event {
    case .started, .timer: break
    default: return []
    }
    guard !transfers.isEmpty else { return [] }
    let transfer = transfers[next % transfers.count]
    next += 1
    requests += 1
    return [
      .request(
        RequestID(requests), to: validators[Int(requests) % validators.count], .submit(transfer),
        deadline: .seconds(1)),
      .setTimer(TimerID(1), at: now + interval),
    ]
  }
}
