import Effects
import Messages

/// Votes in views that nobody will reach, near and far: what the others keep of it is bounded
/// (`ConsensusConfiguration.viewsAhead`).
struct FarFutureVoter: Adversary {
  mutating func instead(of effect: Effect, _ host: ValidatorCore, _ voice: inout Voice) -> [Effect] {
    guard case .publish(_, .consensus(.vote(let vote))) = effect, case .notarize(let said) = vote.ballot else {
      return [effect]
    }
    let futures: [View] = [said.view + 40, said.view + 1_000_000, .max]
    return [effect]
      + futures.map { view in
        voice.publish(.vote(voice.vote(.nullify(era: said.era, view: view))))
      }
  }
}
