import Effects
import Ledger
import Messages
import Roles

@testable import Simulator

/// What came of a run of the voting members alone.
struct Outcome {
  let ending: World.Ending
  let monitor: SafetyMonitor
  let agreement: LedgerAgreement
  let world: World

  /// How many transfers are final in the longest chain.
  var paid: Amount { agreement.state?.account(named: MemberSimulation.payee)?.balance ?? 0 }

  var complaints: [String] {
    (monitor.violations + agreement.violations).map(\.description) + world.halts.map(\.reason)
      + world.refusals.keys.sorted()
  }
}

typealias Members = MemberSimulation

extension MemberSimulation {
  /// Runs until every member that is up has every transfer, and the last fault is over.
  func run(
    seed: UInt64, conditions: NetworkConditions = .calm, faults: [Fault] = [], timeLimit: Span = .seconds(120),
    remembers: Bool = true, wrap: @escaping (ValidatorCore) -> any RoleCore = { $0 }
  ) -> Outcome {
    let world = world(seed: seed, conditions: conditions, faults: faults, remembers: remembers, disguise: wrap)
    var monitor = SafetyMonitor(genesis: genesis)
    world.inspector = { [unowned world] instant, actor, effect, disk in
      monitor.inspect(effect, by: actor, life: world.lives(actor), disk: disk, at: instant)
    }
    let calmFrom = faults.compactMap(\.lastInstant).max() ?? World.start
    let ending = world.run(
      until: { [unowned world] in world.now > calmFrom && isSettled(world) }, timeLimit: timeLimit,
      eventLimit: 2_000_000)
    return Outcome(
      ending: ending, monitor: monitor,
      agreement: LedgerAgreement(genesis: genesis, disks: validators.compactMap { world.disk($0) }, at: world.now),
      world: world)
  }
}
