import Consensus
import Messages
import Signing

/// One core and a script that plays everybody else. What the core emits is kept per turn.
struct ScriptedCore {
  let consortium: TestConsortium
  var core: ConsensusCore
  var now: Instant
  private var verifier: Verifier

  init(_ consortium: TestConsortium, _ member: MemberIndex, records: [ConsensusRecord] = []) {
    self.consortium = consortium
    core = ConsensusCore(configuration: consortium.configuration(of: member), finalized: nil, replaying: records)
    now = consortium.genesisTime + .seconds(1)
    verifier = Verifier(context: consortium.fullContext)
  }

  /// One event, and whatever blocks it wants executed are valid.
  mutating func tell(_ event: ConsensusEvent) -> [ConsensusEffect] {
    var effects = core.handle(event, at: now)
    for case .validate(_, let hash) in effects { effects += tell(.validated(block: hash, .valid)) }
    return effects
  }

  mutating func hear(_ message: ConsensusMessage, from sender: MemberIndex) throws -> [ConsensusEffect] {
    tell(.received(try verifier.verify(message), from: sender))
  }

  mutating func pass(_ span: Span) -> [ConsensusEffect] {
    now = now + span
    return tell(.timer(.leader))
  }
}

extension [ConsensusEffect] {
  /// The ballots of the votes that leave, in order.
  var spoken: [Ballot] {
    compactMap { effect in
      switch effect {
      case .broadcast(.vote(let vote)): vote.ballot
      case .broadcast(.proposal(let proposal)): proposal.vote.ballot
      case .broadcast(.reproposal(let reproposal)): reproposal.vote.ballot
      default: nil
      }
    }
  }

  var records: [ConsensusRecord] {
    compactMap { if case .persist(let record) = $0 { record } else { nil } }
  }

  var evidence: [ConsensusEvidence] {
    compactMap { if case .evidence(let evidence) = $0 { evidence } else { nil } }
  }

  var refuted: [Proposal] {
    compactMap { if case .refuted(let proposal, _) = $0 { proposal } else { nil } }
  }

  var halts: [String] {
    compactMap { if case .halt(let reason) = $0 { reason } else { nil } }
  }
}
