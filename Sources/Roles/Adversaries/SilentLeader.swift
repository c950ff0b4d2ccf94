import Effects
import Messages

/// Votes for what others propose and never says what it would propose itself.
struct SilentLeader: Adversary {
  mutating func instead(of effect: Effect, _ host: ValidatorCore, _ voice: inout Voice) -> [Effect] {
    if case .proposal = effect.consensus { [] } else { [effect] }
  }
}
