import Consensus
import FixtureSupport
import Messages
import Signing

/// A member that follows the protocol inside and lies outside: other blocks to some, every kind of vote to anyone.
enum Equivocator {
  static func distort(
    _ message: ConsensusMessage, _ consortium: TestConsortium, to receiver: MemberIndex,
    _ random: inout SeededGenerator
  ) -> [ConsensusMessage] {
    switch message {
    case .proposal(let proposal):
      // The second half sees another block of the same leader.
      return Int(receiver) * 2 < consortium.count ? [message] : [.proposal(twin(of: proposal, consortium))]
    case .vote(let vote):
      var lies = [message]
      switch random.next() % 4 {
      case 0: lies = [.vote(consortium.vote(.nullify(era: vote.ballot.era, view: vote.ballot.view), by: vote.member))]
      case 1:
        if let proposition = vote.ballot.proposition {
          lies.append(.vote(consortium.vote(.finalize(proposition), by: vote.member)))
        }
      case 2:
        if let proposition = vote.ballot.proposition {
          let other = Proposition(
            era: proposition.era, view: proposition.view, parentView: proposition.parentView,
            blockHash: Digest(label: "other", proposition.blockHash.bytes))
          lies.append(.vote(consortium.vote(.notarize(other), by: vote.member)))
        }
      default: lies = []
      }
      return lies
    default: return [message]
    }
  }

  /// Another valid block for the same place.
  static func twin(of proposal: Proposal, _ consortium: TestConsortium) -> Proposal {
    var header = proposal.block.header
    header.time = header.time + .microseconds(1)
    let block = Block(header: header, body: proposal.block.body)
    return Proposal(
      block: block,
      vote: consortium.vote(.notarize(header.proposition(hash: block.hash)), by: proposal.vote.member))
  }
}
