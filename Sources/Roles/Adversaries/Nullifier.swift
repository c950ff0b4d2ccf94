import Effects
import Messages

/// Nullifies every view that it hears of and says nothing else to the members but questions. Each of its votes is
/// legal, so nobody can be convicted of it; it costs a quorum its vote.
struct Nullifier: Adversary {
  private var latest: View = 0

  mutating func instead(of effect: Effect, _ host: ValidatorCore, _ voice: inout Voice) -> [Effect] {
    switch effect.consensus {
    case nil, .getBlock, .getCertificates, .getSegments: return [effect]
    case .vote(let vote):
      // What the host has finalized in silence must not become a proof against it.
      if case .nullify = vote.ballot { return nullify(vote.ballot.era, vote.ballot.view, voice) }
      return nullify(vote.ballot.era, vote.ballot.view + 1, voice)
    case .proposal(let proposal): return nullify(proposal.block.header.era, proposal.block.header.view, voice)
    default: return []
    }
  }

  mutating func after(_ event: Event, _ host: ValidatorCore, _ voice: inout Voice) -> [Effect] {
    guard case .proposal(let proposal) = event.consensus else { return [] }
    return nullify(proposal.block.header.era, proposal.block.header.view, voice)
  }

  private mutating func nullify(_ era: Era, _ view: View, _ voice: Voice) -> [Effect] {
    guard view > latest else { return [] }
    latest = view
    return [voice.publish(.vote(voice.vote(.nullify(era: era, view: view))))]
  }
}
