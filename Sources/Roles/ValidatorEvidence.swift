import Consensus
import Effects
import Messages

/// What proves that a member broke the rules: kept, durable before anything is done about it.
extension ValidatorCore {
  mutating func keep(_ evidence: ConsensusEvidence, _ turn: inout Turn) {
    guard evidenceCount < Self.maximumEvidence else { return turn.count("validator.evidenceNotKept") }
    turn.add(.persist(.put(stream: Stream.evidence, key: evidenceCount, bytes: evidence.encoded)))
    evidenceCount += 1
    let name = configuration.genesis.members[Int(evidence.member)].name
    turn.note("evidence against \(name) in view \(evidence.view)", .warning)
  }
}
