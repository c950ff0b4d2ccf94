import Effects
import Messages
import Roles

/// L5: under load, a dead leader's views cost a timeout each until the others skip them, and then nothing. The cost of
/// a view is the time from the first certificate that closed the view before to the first that closed it, as honest
/// members make them durable.
struct DeadLeaderCheck {
  /// Turns of a leader that may be waited for, after which k views have passed without it.
  static let turnsWaitedFor = 2

  private let leader: Int
  private let leaders: Int
  private let floor: Span
  /// When each view was closed, and whether by a nullification.
  private var closed: [View: (at: Instant, isNullified: Bool)] = [:]

  /// - Parameter leader: the position of the dead one among the members that lead.
  init(genesis: Genesis, leader: Int) {
    self.leader = leader
    leaders = genesis.members.count { $0.leads }
    floor = genesis.parameters.timeoutFloor
  }

  mutating func stored(_ certificate: Certificate, at now: Instant) {
    guard closed[certificate.view] == nil else { return }
    closed[certificate.view] = (now, certificate.ballot.proposition == nil)
  }

  /// Views of the dead leader that cost a timeout, and how many there were.
  func turns(from first: View) -> (waited: [View], all: Int) {
    var waited: [View] = []
    var all = 0
    for view in closed.keys.sorted() where view >= first && Int(view % UInt64(leaders)) == leader {
      guard let end = closed[view], end.isNullified, let start = closed[view - 1] else { continue }
      all += 1
      if end.at - start.at >= floor { waited.append(view) }
    }
    return (waited, all)
  }

  func verdict(from first: View, at now: Instant) -> [Violation] {
    let (waited, all) = turns(from: first)
    guard waited.count > Self.turnsWaitedFor else { return [] }
    return [
      Violation(
        .deadLeaderSkipped, "a dead leader was waited for in \(waited.count) of its \(all) turns: \(waited)", at: now)
    ]
  }
}
