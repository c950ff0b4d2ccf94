import Effects
import Messages

/// V5: keeps certificates, blocks and answers to itself, and shows its proposals to every other member only. The rest
/// must make do with each other.
struct Withholder: Adversary {
  mutating func instead(of effect: Effect, _ host: ValidatorCore, _ voice: inout Voice) -> [Effect] {
    switch effect.consensus {
    case nil, .vote, .getBlock, .getCertificates, .getSegments: return [effect]
    case .certificate, .certificates, .block, .segments, .reproposal: return []
    case .proposal(let proposal):
      return voice.others.filter { $0.isMultiple(of: 2) }.map { voice.tell(.proposal(proposal), $0) }
    }
  }
}
