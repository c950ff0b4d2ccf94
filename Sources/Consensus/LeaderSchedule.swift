import Messages

/// Who leads which view, and who is not worth waiting for.
///
/// Leaders take turns by view number and nothing else: never by the bytes of a certificate, which a leader can grind.
/// A leader from whom nothing came in the last k views is skipped at once (rule 7); one valid vote ends that. At most f
/// are skipped, the longest silent first, so a member that hears nobody cannot talk itself into skipping everybody.
struct LeaderSchedule: Sendable {
  let leaders: [MemberIndex]
  /// k.
  let silentViews: UInt64
  /// f.
  let maximumSkipped: Int
  /// By position in ``leaders``: the latest view in which a valid vote of the member was seen.
  private var lastHeard: [View]

  /// k is one turn of every leader.
  init(_ membership: Membership) {
    self.init(
      leaders: membership.leaders, silentViews: UInt64(membership.leaders.count),
      maximumSkipped: membership.quorum.faults)
  }

  init(leaders: [MemberIndex], silentViews: UInt64, maximumSkipped: Int) {
    precondition(!leaders.isEmpty, "a network has at least one member that leads")
    self.leaders = leaders
    self.silentViews = silentViews
    self.maximumSkipped = maximumSkipped
    lastHeard = [View](repeating: 0, count: leaders.count)
  }

  func leader(of view: View) -> MemberIndex { leaders[position(of: view)] }

  mutating func heard(_ member: MemberIndex, in view: View) {
    guard let position = leaders.firstIndex(of: member) else { return }
    lastHeard[position] = max(lastHeard[position], view)
  }

  /// This member was away itself, so it cannot say who was silent.
  mutating func forgetSilence(before view: View) {
    for position in lastHeard.indices { lastHeard[position] = max(lastHeard[position], view) }
  }

  func isSkipped(in view: View) -> Bool {
    let position = position(of: view)
    guard isSilent(position, in: view) else { return false }
    let silentLonger = lastHeard.indices.count { other in
      isSilent(other, in: view) && (lastHeard[other], other) < (lastHeard[position], position)
    }
    return silentLonger < maximumSkipped
  }

  private func position(of view: View) -> Int { Int(view % UInt64(leaders.count)) }
  private func isSilent(_ position: Int, in view: View) -> Bool { lastHeard[position] + silentViews < view }
}
