import Messages
import Signing

/// The votes of one kind in one view: the first of each member counts. A second one with the same ballot is nothing
/// new; one with another ballot is evidence and counts nowhere, which is also why memory is bounded by the members.
struct Tally: Sendable {
  enum Addition {
    /// How many members have voted this ballot now.
    case counted(Int)
    case duplicate
    case conflict(Vote)
  }

  /// By member.
  private var votes: [Vote?]

  init(members: Int) { votes = [Vote?](repeating: nil, count: members) }

  subscript(member: MemberIndex) -> Vote? { Int(member) < votes.count ? votes[Int(member)] : nil }

  mutating func add(_ vote: Vote) -> Addition {
    guard Int(vote.member) < votes.count else { return .duplicate }
    if let first = votes[Int(vote.member)] { return first.ballot == vote.ballot ? .duplicate : .conflict(first) }
    votes[Int(vote.member)] = vote
    return .counted(count(of: vote.ballot))
  }

  func count(of ballot: Ballot) -> Int { votes.count { $0?.ballot == ballot } }

  /// A certificate of everybody who voted this ballot.
  func certificate(of ballot: Ballot) -> Certificate {
    Certificate(
      ballot: ballot,
      votes: votes.compactMap { vote in
        guard let vote, vote.ballot == ballot else { return nil }
        return (vote.member, vote.signature)
      })
  }
}
