import Effects
import Ledger
import Messages
import Signing

/// V1: contradicts itself in every way that proves something, a different way from view to view, and shows half of the
/// members another valid block.
struct Equivocator: Adversary {
  mutating func instead(of effect: Effect, _ host: ValidatorCore, _ voice: inout Voice) -> [Effect] {
    guard case .publish(_, .consensus(let message)) = effect else { return [effect] }
    switch message {
    case .proposal(let proposal): return propose(proposal, host, &voice)
    case .vote(let vote): return [effect] + contradict(vote, &voice)
    default: return [effect]
    }
  }

  /// Each half of the members is told of its own block, and not by a publication, which all would get; or, from view
  /// to view, everybody of both.
  private func propose(_ proposal: Proposal, _ host: ValidatorCore, _ voice: inout Voice) -> [Effect] {
    let twin = twin(of: proposal.block.header, host, voice) ?? proposal
    if proposal.block.header.view % 3 == 0 {
      return [voice.publish(.proposal(proposal)), voice.publish(.proposal(twin))]
    }
    return voice.others.map { voice.tell(.proposal(Int($0).isMultiple(of: 2) ? proposal : twin), $0) }
  }

  /// Another valid block for the same place: an empty one, a moment later.
  private func twin(of header: BlockHeader, _ host: ValidatorCore, _ voice: Voice) -> Proposal? {
    var header = header
    header.time = header.time + .microseconds(1)
    guard let parent = host.executions.state(of: header.parentHash),
      let executed = try? parent.executing([], in: BlockContext(header))
    else { return nil }
    let body = BlockBody(transactions: [], outcomes: executed.outcomes)
    (header.transactionsRoot, header.outcomesRoot) = (body.transactionsRoot, body.outcomesRoot)
    header.stateRoot = executed.state.root
    return voice.proposal(header, body)
  }

  private func contradict(_ vote: Vote, _ voice: inout Voice) -> [Effect] {
    let view = vote.ballot.view
    guard let said = vote.ballot.proposition else { return [] }
    let other = Proposition(
      era: said.era, view: view, parentView: said.parentView, blockHash: Digest(label: "other", said.blockHash.bytes))
    let lie: Ballot =
      switch (vote.ballot, view % 4) {
      case (.notarize, 0): .notarize(other)
      case (.notarize, 1): .finalize(other)
      case (.finalize, 2): .finalize(other)
      case (.finalize, _): .nullify(era: said.era, view: view)
      default: vote.ballot
      }
    return lie == vote.ballot ? [] : [voice.publish(.vote(voice.vote(lie)))]
  }
}
