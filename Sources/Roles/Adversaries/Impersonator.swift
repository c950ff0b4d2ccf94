import Effects
import Messages

/// Says again what others voted as if it had come from them, and votes in their names with its own signature. The first
/// is dropped because a vote counts only from its signer, the second because the signature is not the member's.
struct Impersonator: Adversary {
  mutating func after(_ event: Event, _ host: ValidatorCore, _ voice: inout Voice) -> [Effect] {
    guard case .vote(let vote) = event.consensus else { return [] }
    let ballot = Ballot.nullify(era: vote.ballot.era, view: vote.ballot.view)
    let forged = Vote(member: vote.member, ballot: ballot, signature: voice.vote(ballot).signature)
    return [voice.publish(.vote(vote)), voice.publish(.vote(forged))]
  }
}
