import Effects
import Messages

/// How far a simulation has come: which activations are over, in their customers' eyes, and whether every member that
/// is up has the blocks that say so.
final class Progress {
  var monitor: SafetyMonitor
  private let validators: [ActorAddress]
  private let planned: Int
  /// When its customer learnt that it was.
  private(set) var over: [ActivationID: Instant] = [:]
  private(set) var refused: [ActivationID: String] = [:]
  /// What edges said they dropped, per activation, edge and epoch: a new life may say it again.
  private var dropped: [ActivationID: [Drop: UInt64]] = [:]
  /// Set once all are over: the height every member must still reach.
  private var target: Height?

  /// - Parameter faulty: members that the topology lets cheat.
  init(_ genesis: Genesis, faulty: Set<MemberIndex>, planned: Int) {
    monitor = SafetyMonitor(genesis: genesis, faulty: faulty)
    validators = genesis.members.map { ActorAddress(.validator, $0.name) }
    self.planned = planned
  }

  private struct Drop: Hashable {
    let edge: ActorAddress
    let epoch: EpochNumber
  }

  func droppedByPolicy(_ id: ActivationID) -> UInt64 { dropped[id, default: [:]].values.reduce(0, +) }

  func observed(_ observation: Observation, by actor: ActorAddress, at now: Instant) {
    if case .activation(let id, .droppedByPolicy(let epoch, let packets)) = observation {
      dropped[id, default: [:]][Drop(edge: actor, epoch: epoch)] = packets
    }
    guard actor.role == .customer, case .activation(let id, let step) = observation else { return }
    switch step {
    case .ended: over[id] = over[id] ?? now
    case .refused(let reason):
      over[id] = over[id] ?? now
      refused[id] = reason
    default: break
    }
  }

  func isSettled(_ world: World) -> Bool {
    guard over.count >= planned else { return false }
    // Who is down will be back, and must then get as far as the others.
    let heights = world.ledgers(of: validators).map { $0?.height ?? 0 }
    let target = target ?? heights.max() ?? 0
    self.target = target
    return !heights.isEmpty && heights.allSatisfy { $0 >= target }
  }
}
