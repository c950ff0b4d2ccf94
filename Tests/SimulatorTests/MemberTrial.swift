import Consensus
import Effects
import Ledger
import Messages
import Roles
import Signing

@testable import Simulator

/// Voting members alone under everything at once: a bad network, crashes, isolation, one of them lying; watched by
/// every checker, until all faults are over and the chain has gone on. The same seed gives the same run.
struct MemberTrial {
  /// What one member does besides voting.
  enum Liar: Hashable {
    case nobody
    case misconduct(MemberIndex, Misconduct)
    /// One key, two instances.
    case twins(MemberIndex)

    var member: MemberIndex? {
      switch self {
      case .nobody: nil
      case .misconduct(let member, _), .twins(let member): member
      }
    }

    var name: String {
      switch self {
      case .nobody: "nobody"
      case .misconduct(_, let misconduct): "\(misconduct)"
      case .twins: "twins"
      }
    }
  }

  /// A hundred views take some fifteen thousand events: who needs so many keeps others busy without getting anywhere.
  static let maximumEvents: UInt64 = 400_000

  /// Makes what takes a member's place in one life.
  typealias Disguise = (_ member: MemberIndex, _ life: UInt64, _ core: ValidatorCore, [StoredRecord]) throws
    -> any RoleCore

  let members: Members
  var seed: UInt64
  var conditions = NetworkConditions.calm
  var liar = Liar.nobody
  var faults: [Fault] = []
  /// No run is over before the chain has come so far.
  var views: View = 30
  /// Transfers are sent so far apart.
  var interval = Span.milliseconds(60)
  var timeLimit = Span.seconds(120)
  /// When the last fault is over.
  var healedAt = World.start
  /// Members that never come.
  var dead: Set<MemberIndex> = []
  var disguise: Disguise = { _, _, core, _ in core }
  /// The run ends as soon as one of these is seen to be broken.
  var stopsAt: Set<Check> = []

  struct Outcome {
    let violations: [Violation]
    let ending: World.Ending
    let traceHash: Digest
    let views: View
    let height: Height
    let restarts: UInt64
    let events: UInt64
    let duration: Span
    /// Members that evidence was found against.
    let named: Set<MemberIndex>

    var checks: Set<Check> { Set(violations.map(\.rule)) }
  }

  func run() -> Outcome {
    let faulty = Set([liar.member].compactMap { $0 })
    let watch = TrialWatch(self, faulty: faulty)
    let world = World(
      seed: seed, conditions: conditions, context: members.genesis.verificationContext,
      seats: members.validators.indices.map(seat) + [payer], faults: faults)
    watch.follow(world)
    let ending = world.run(until: { watch.isOver(world) }, timeLimit: timeLimit, eventLimit: Self.maximumEvents)
    return Outcome(
      violations: watch.verdict(world), ending: ending, traceHash: world.traceHash,
      views: watch.monitor.chain.highest.view, height: watch.monitor.chain.highest.height,
      restarts: members.validators.reduce(0) { $0 + max(1, world.lives($1)) - 1 }, events: world.eventCount,
      duration: world.now - World.start, named: watch.monitor.evidence.named)
  }

  private var payer: ActorSeat {
    ActorSeat(ActorAddress(.client, "payer")) { [members, interval] _, _ in
      PayerCore(
        address: ActorAddress(.client, "payer"), transfers: members.transfers, validators: members.validators,
        interval: interval)
    }
  }

  private func seat(_ index: Int) -> ActorSeat {
    let member = MemberIndex(index)
    let configuration = ValidatorCore.Configuration(
      genesis: members.genesis, member: member, key: members.keys[index])
    let (liar, disguise, addresses) = (liar, disguise, members.validators)
    if dead.contains(member) { return ActorSeat(addresses[index]) { _, _ in DeadCore(address: addresses[index]) } }
    return ActorSeat(addresses[index]) { life, records in
      switch liar {
      case .misconduct(member, let misconduct):
        return AdversaryCore(try ValidatorCore(configuration, recovering: records), misconduct)
      case .twins(member):
        return try TwinCore(members: addresses, recovering: records) {
          try ValidatorCore(configuration, recovering: $0)
        }
      default: return try disguise(member, life, ValidatorCore(configuration, recovering: records), records)
      }
    }
  }
}

/// Nobody is there.
struct DeadCore: RoleCore {
  let address: ActorAddress
  var subscriptions: [Subscription] { [] }
  func handle(_ event: Event, at now: Instant) -> [Effect] { [] }
}

/// The checkers of one trial.
final class TrialWatch {
  private(set) var monitor: SafetyMonitor
  private var liveness: LivenessCheck
  private var equivocations: EquivocationCheck
  private var deadLeaders: [DeadLeaderCheck]
  private let trial: MemberTrial
  private let faulty: Set<MemberIndex>
  /// The height that every honest member must still reach.
  private var target: Height?
  private var isChanged = false
  /// Members that were down at one time, and had not come back.
  private var lives: [ActorAddress: UInt64] = [:]

  init(_ trial: MemberTrial, faulty: Set<MemberIndex>) {
    self.trial = trial
    self.faulty = faulty
    let genesis = trial.members.genesis
    monitor = SafetyMonitor(genesis: genesis, faulty: faulty)
    liveness = LivenessCheck(genesis: genesis, faulty: faulty)
    equivocations = EquivocationCheck(genesis: genesis)
    deadLeaders = trial.dead.sorted().filter { genesis.members[Int($0)].leads }.map {
      DeadLeaderCheck(genesis: genesis, leader: Int($0))
    }
    let alive = trial.members.validators.indices.filter { !trial.dead.contains(MemberIndex($0)) }
    liveness.crashed(all: trial.faults.crashEverybody(alive.map { trial.members.validators[$0] }))
  }

  func follow(_ world: World) {
    world.witness = { [unowned self, unowned world] instant, actor, event in
      if faulty.isEmpty { return }
      equivocations.told(event, to: actor, life: world.lives(actor), monitor, at: instant)
    }
    world.inspector = { [unowned self, unowned world] instant, actor, effect, disk in
      monitor.inspect(effect, by: actor, life: world.lives(actor), disk: disk, at: instant)
      liveness.inspect(effect, by: actor, monitor, at: instant)
      if case .publish(.ledger, _) = effect { isChanged = true }
      if !deadLeaders.isEmpty, case .persist(.put(ValidatorCore.Stream.journal, _, let bytes)) = effect,
        case .certificate(let certificate)? = try? ConsensusRecord(decoding: bytes)
      {
        for index in deadLeaders.indices { deadLeaders[index].stored(certificate, at: instant) }
      }
    }
  }

  private var upAndHonest: [MemberIndex] {
    trial.members.validators.indices.map { MemberIndex($0) }.filter {
      !faulty.contains($0) && !trial.dead.contains($0)
    }
  }

  func isOver(_ world: World) -> Bool {
    if !trial.stopsAt.isEmpty, monitor.violations.contains(where: { trial.stopsAt.contains($0.rule) }) { return true }
    if !liveness.isHealed, world.now >= trial.healedAt { liveness.healed(monitor, at: world.now) }
    guard isChanged, liveness.isHealed, monitor.chain.highest.view >= trial.views else { return false }
    isChanged = false
    // Two more blocks, so that everybody shows what it makes of healing.
    let target = target ?? monitor.chain.highest.height + 2
    self.target = target
    return upAndHonest.allSatisfy { monitor.chain.height(of: $0) >= target }
  }

  func verdict(_ world: World) -> [Violation] {
    let genesis = trial.members.genesis
    let disks = trial.members.validators.compactMap { world.disk($0) }
    let agreement = LedgerAgreement(genesis: genesis, disks: disks, faulty: faulty, at: world.now)
    let addresses = trial.members.validators
    let halted = Set(world.halts.compactMap { halt in addresses.firstIndex(of: halt.actor).map { MemberIndex($0) } })
    var violations = monitor.violations + agreement.violations
    violations += liveness.verdict(up: upAndHonest, monitor, at: world.now)
    violations += equivocations.verdict(monitor, isStopped: { halted.contains($0) }, at: world.now)
    violations += deadLeaders.flatMap { $0.verdict(from: 1, at: world.now) }
    let liar = trial.liar.member.map { addresses[Int($0)] }
    for halt in world.halts where halt.actor != liar {
      violations.append(Violation(.keepsRunning, "\(halt.actor) stopped: \(halt.reason)", at: halt.at))
    }
    for refusal in world.refusals.keys.sorted() where liar.map({ !refusal.hasPrefix("\($0): ") }) ?? true {
      violations.append(Violation(.keepsRunning, "refused: \(refusal)", at: world.now))
    }
    return violations
  }
}

extension [Fault] {
  /// Whether all of them crash at some moment.
  fileprivate func crashEverybody(_ actors: [ActorAddress]) -> Bool {
    let crashes = filter { if case .crash = $0.kind { true } else { false } }
    return actors.allSatisfy { actor in crashes.contains { $0.patterns.contains { $0.fits(actor) } } }
  }
}
