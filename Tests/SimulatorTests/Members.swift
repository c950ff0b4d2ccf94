import Effects
import Ledger
import Messages
import Roles
import Signing

@testable import Simulator

/// Sends a transfer of one minor unit every `interval`, through one member after another, until `count` are sent;
/// sends each again until it is final. Follows nothing: the members' own ledgers say what came of it.
struct PayerCore: RoleCore {
  let address = ActorAddress(.client, "payer")
  let transfers: [SignedTransaction]
  let validators: [ActorAddress]
  let interval: Span
  private var next = 0
  private var requests: UInt64 = 0

  var subscriptions: [Subscription] { [] }

  init(transfers: [SignedTransaction], validators: [ActorAddress], interval: Span) {
    self.transfers = transfers
    self.validators = validators
    self.interval = interval
  }

  mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
    switch event {
    case .started, .timer: break
    default: return []
    }
    // Round and round: a member that lost a transaction in a crash hears of it again from here.
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

/// Operators and regulators that keep one ledger, and one customer who pays another: no slices, no meters.
struct Members {
  let genesis: Genesis
  let validators: [ActorAddress]
  private let keys: [SigningKey]
  let transfers: [SignedTransaction]

  static let payee = "payee"

  init(operators: Int = 4, regulators: Int = 2, transfers count: Int = 40) throws {
    func key(_ name: String) throws -> SigningKey {
      try SigningKey(seed: Digest(label: name, []).bytes, scheme: .simulated)
    }
    let names = (0..<operators).map { "operator-\($0)" } + (0..<regulators).map { "regulator-\($0)" }
    keys = try names.map { try key("validator \($0)") }
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
        id: identities[names.count], name: "payer", kind: .customer, credit: 1_000,
        keys: [Enrolment(key: treasury.publicKey, role: .treasury)]))
    let payee = identities[names.count + 1]
    organisations.append(Organisation(id: payee, name: Self.payee, kind: .customer, credit: 0, keys: []))
    let genesis = Genesis(
      salt: [UInt8](repeating: 3, count: Genesis.saltBytes), scheme: .simulated, time: World.start - .seconds(1),
      parameters: .standard, members: members, organisations: organisations, platformKeys: [])
    self.genesis = genesis
    validators = names.map { ActorAddress(.validator, $0) }
    transfers = (0..<count).map { number in
      SignedTransaction(
        signing: Transaction(nonce: UInt64(number), expiry: 500, action: .transfer(to: payee, amount: 1)),
        with: treasury, network: genesis.networkID)
    }
  }

  /// What came of a run.
  struct Outcome {
    let ending: World.Ending
    let monitor: SafetyMonitor
    let agreement: LedgerAgreement
    let world: World

    /// How many transfers are final in the longest chain.
    var paid: Amount { agreement.state?.account(named: Members.payee)?.balance ?? 0 }

    var complaints: [String] {
      (monitor.violations + agreement.violations).map(\.description) + world.halts.map(\.reason)
        + world.refusals.keys.sorted()
    }
  }

  /// Runs until every member that is up has every transfer.
  /// - Parameters:
  ///   - remembers: false for members that are made anew without their records, which no honest one is.
  ///   - wrap: what takes a member's place.
  func run(
    seed: UInt64, conditions: NetworkConditions = .calm, faults: [Fault] = [], timeLimit: Span = .seconds(120),
    remembers: Bool = true,
    wrap: @escaping (ValidatorCore) -> any RoleCore = { $0 }
  ) -> Outcome {
    let seats = validators.indices.map { index in
      let configuration = ValidatorCore.Configuration(genesis: genesis, member: MemberIndex(index), key: keys[index])
      return ActorSeat(validators[index]) { _, records in
        wrap(try ValidatorCore(configuration, recovering: remembers ? records : []))
      }
    }
    let payer = ActorSeat(ActorAddress(.client, "payer")) { [transfers, validators] _, _ in
      PayerCore(transfers: transfers, validators: validators, interval: .milliseconds(100))
    }
    let world = World(
      seed: seed, conditions: conditions, context: genesis.verificationContext, seats: seats + [payer], faults: faults)
    var monitor = SafetyMonitor(genesis: genesis)
    world.inspector = { [unowned world] instant, actor, effect, disk in
      monitor.inspect(effect, by: actor, life: world.lives(actor), disk: disk, at: instant)
    }
    // Nothing is over before the last fault is.
    let calmFrom = faults.map(\.lastInstant).max() ?? World.start
    let ending = world.run(
      until: { [unowned world] in
        guard world.now > calmFrom else { return false }
        return validators.allSatisfy { address in
          guard let core = world.core(address) as? ValidatorCore else { return false }
          return core.ledger.account(named: Self.payee)?.balance == Amount(transfers.count)
        }
      }, timeLimit: timeLimit, eventLimit: 2_000_000)
    return Outcome(
      ending: ending, monitor: monitor,
      agreement: LedgerAgreement(genesis: genesis, disks: validators.compactMap { world.disk($0) }, at: world.now),
      world: world)
  }
}

extension Fault {
  /// When it is over, as far as the schedule says.
  var lastInstant: Instant {
    switch self {
    case .crash(_, let at, let down): World.start + at + down
    case .isolate(_, let at, let during): World.start + at + during
    case .crashAfterPersist: World.start
    }
  }
}
