import Effects
import Messages
import Signing

/// V2: proposes blocks whose state root is not what executing them gives.
struct InvalidProposer: Adversary {
  mutating func instead(of effect: Effect, _ host: ValidatorCore, _ voice: inout Voice) -> [Effect] {
    guard case .publish(let topic, .consensus(.proposal(let proposal))) = effect else { return [effect] }
    var header = proposal.block.header
    header.stateRoot = Digest(label: "invalid", header.stateRoot.bytes)
    return [.publish(topic, .consensus(.proposal(voice.proposal(header, proposal.block.body))))]
  }
}
