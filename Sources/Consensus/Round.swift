import Messages
import Signing

/// What a member knows of one view.
struct Round: Sendable {
  /// What a leader offers in a view: a new block or, at the end of an era, its last one again.
  enum Offer: Sendable {
    case new(Proposal)
    case again(Reproposal)

    var block: Block {
      switch self {
      case .new(let proposal): proposal.block
      case .again(let reproposal): reproposal.block
      }
    }

    /// The leader's notarize vote.
    var vote: Vote {
      switch self {
      case .new(let proposal): proposal.vote
      case .again(let reproposal): reproposal.vote
      }
    }

    var message: ConsensusMessage {
      switch self {
      case .new(let proposal): .proposal(proposal)
      case .again(let reproposal): .reproposal(reproposal)
      }
    }

    var record: ConsensusRecord {
      switch self {
      case .new(let proposal): .proposal(proposal)
      case .again(let reproposal): .reproposal(reproposal)
      }
    }
  }

  /// The first offer that came. The block itself is in the tree.
  struct FirstProposal: Sendable {
    let offer: Offer
    /// What the leader voted for.
    let proposition: Proposition
    let arrival: Instant
    var hash: Digest { proposition.blockHash }
  }

  /// What this member itself signed in the view, across restarts.
  struct OwnVotes: Sendable {
    var notarize: Vote?
    var nullify: Vote?
    var finalize: Vote?
  }

  var notarizes: Tally
  var nullifies: Tally
  var finalizes: Tally
  var proposal: FirstProposal?
  /// A second block was proposed or certified: this member does not finalize the view.
  var isContested = false
  var notarization: Certificate?
  var nullification: Certificate?
  var finalization: Certificate?
  var own = OwnVotes()
  /// Bit per member and kind of evidence: each is reported once.
  private var accused: [UInt64] = [0, 0, 0, 0]

  init(members: Int) {
    let empty = Tally(members: members)
    (notarizes, nullifies, finalizes) = (empty, empty, empty)
  }

  /// A notarization or finalization: what makes the view's block fit to be a parent.
  var certified: Certificate? { finalization ?? notarization }
  var certifiedProposition: Proposition? { certified?.ballot.proposition }
  var certifiedHash: Digest? { certifiedProposition?.blockHash }
  /// Everything that lets a member leave the view.
  var closing: [Certificate] { [finalization ?? notarization, nullification].compactMap { $0 } }

  /// Counts a vote. The evidence is what the vote proves together with earlier ones of the same member.
  mutating func count(_ vote: Vote) -> (addition: Tally.Addition, evidence: [ConsensusEvidence]) {
    var evidence: [ConsensusEvidence] = []
    let addition: Tally.Addition
    switch vote.ballot {
    case .notarize(let proposition):
      addition = notarizes.add(vote)
      if case .conflict(let first) = addition { accuse(.conflictingNotarize(first, vote), 0, &evidence) }
      if let finalize = finalizes[vote.member], finalize.ballot.proposition?.blockHash != proposition.blockHash {
        accuse(.notarizeFinalize(notarize: vote, finalize: finalize), 3, &evidence)
      }
    case .nullify:
      addition = nullifies.add(vote)
      if let finalize = finalizes[vote.member] {
        accuse(.nullifyFinalize(nullify: vote, finalize: finalize), 2, &evidence)
      }
    case .finalize(let proposition):
      addition = finalizes.add(vote)
      if case .conflict(let first) = addition { accuse(.conflictingFinalize(first, vote), 1, &evidence) }
      if let nullify = nullifies[vote.member] {
        accuse(.nullifyFinalize(nullify: nullify, finalize: vote), 2, &evidence)
      }
      if let notarize = notarizes[vote.member], notarize.ballot.proposition?.blockHash != proposition.blockHash {
        accuse(.notarizeFinalize(notarize: notarize, finalize: vote), 3, &evidence)
      }
    }
    return (addition, evidence)
  }

  private mutating func accuse(_ new: ConsensusEvidence, _ kind: Int, _ evidence: inout [ConsensusEvidence]) {
    let bit: UInt64 = 1 << UInt64(new.member)
    guard accused[kind] & bit == 0 else { return }
    accused[kind] |= bit
    evidence.append(new)
  }

  /// Keeps what others may ask for of a view long gone: certificates and own votes.
  mutating func compact() {
    guard nullification != nil, certified == nil else { return }
    let empty = Tally(members: 0)
    (notarizes, nullifies, finalizes) = (empty, empty, empty)
    proposal = nil
  }
}
