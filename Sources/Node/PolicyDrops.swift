import Effects
import Messages
import Synchronization

/// Packets that edges said they dropped because a contract does not allow them, per activation.
final class PolicyDrops: Sendable {
  private struct Drop: Hashable {
    let edge: ActorAddress
    let epoch: EpochNumber
  }

  /// Activations counted at a time; what comes after is not.
  static let maximumActivations = 65_536

  /// An edge's new life may say it again.
  private let dropped = Mutex<[ActivationID: [Drop: UInt64]]>([:])

  func observe(_ actor: ActorAddress, _ observation: Observation) {
    guard case .activation(let id, .droppedByPolicy(let epoch, let packets)) = observation else { return }
    dropped.withLock { dropped in
      guard dropped[id] != nil || dropped.count < Self.maximumActivations else { return }
      dropped[id, default: [:]][Drop(edge: actor, epoch: epoch)] = packets
    }
  }

  func of(_ id: ActivationID) -> UInt64 { dropped.withLock { $0[id, default: [:]].values.reduce(0, +) } }
}
