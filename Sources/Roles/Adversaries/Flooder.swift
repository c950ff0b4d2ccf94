import Effects
import Messages
import Signing

/// Says everything many times and asks everybody for everything. What it costs the others is bounded by them
/// (`ConsensusConfiguration.answersPerInterval`).
struct Flooder: Adversary {
  static let copies = 4
  static let questions = 16
  /// Of its votes, those with which it also asks for the whole chain: the answer is all of it, every time.
  static let votesPerChain: UInt64 = 16
  private var asked: UInt64 = 0
  private var votes: UInt64 = 0

  mutating func instead(of effect: Effect, _ host: ValidatorCore, _ voice: inout Voice) -> [Effect] {
    guard case .publish(_, .consensus(let message)) = effect else { return [effect] }
    var flood = [Effect](repeating: effect, count: Self.copies)
    guard case .vote(let vote) = message, let receiver = voice.others.randomly(asked) else { return flood }
    for _ in 0..<Self.questions / 2 {
      asked += 1
      flood.append(voice.tell(.getBlock(Digest(label: "flood", asked.encoded)), receiver))
      flood.append(voice.tell(.getCertificates(from: 1, through: max(1, min(vote.ballot.view, 256))), receiver))
    }
    votes += 1
    if votes % Self.votesPerChain == 0 { flood.append(voice.tell(.getSegments(from: 1), receiver)) }
    return flood
  }
}

extension [MemberIndex] {
  fileprivate func randomly(_ number: UInt64) -> MemberIndex? { isEmpty ? nil : self[Int(number % UInt64(count))] }
}
