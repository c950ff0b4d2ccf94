import Effects
import Messages
import Signing

/// V9: answers customers falsely. What the ledger holds it shows without the last entry, under the true header and
/// certificate; what is submitted it acknowledges as something else.
struct FalseWitness: Adversary {
  mutating func instead(of effect: Effect, _ host: ValidatorCore, _ voice: inout Voice) -> [Effect] {
    guard case .reply(let token, let message) = effect else { return [effect] }
    switch message {
    case .entries(var answer):
      answer.proof = KeyedMerkleProof(steps: answer.proof.steps.dropLast())
      return [.reply(token, .entries(answer))]
    case .submitted(let honest):
      let promise = try? honest.payload()
      let other = SubmissionAcknowledgement(
        transaction: Digest(label: "something else"), era: promise?.era ?? 0, view: promise?.view ?? 0)
      return [.reply(token, .submitted(voice.signed(other)))]
    default: return [effect]
    }
  }
}
