import Messages
import Signing

/// Who votes in an era and as whom this member does: what every rule asks. It changes only where an era ends.
public struct Membership: Sendable {
  public let era: Era
  public let quorum: Quorum
  /// Members that lead, in member order; regulators are not among them.
  public let leaders: [MemberIndex]
  /// Nil: an observer, which follows every rule and says nothing.
  public let identity: Identity?

  /// Who this core votes as.
  public struct Identity: Sendable {
    public let member: MemberIndex
    public let key: SigningKey

    public init(member: MemberIndex, key: SigningKey) {
      self.member = member
      self.key = key
    }
  }

  /// - Parameter keys: this member's own: during a rotation the old one and the new one. The era says which counts.
  public init(_ record: EraRecord, keys: [SigningKey]) {
    era = record.era
    quorum = record.quorum
    leaders = record.leaders
    identity =
      keys.lazy.compactMap { key in
        record.index(of: key.publicKey).map { Identity(member: $0, key: key) }
      }.first
  }
}

/// The end of an era (consensus.md, "Who votes"). Its last block is re-proposed and never extended until it is final;
/// then everything that belonged to the era is forgotten, and the next one starts one view above that block's own, in
/// whatever view it became final. Members that finalized it in different views so start in the same one.
extension ConsensusCore {
  var era: Era { membership.era }

  /// - Parameter last: the final block that says who the next members are.
  mutating func begin(_ next: EraRecord, after last: BlockReference) {
    membership = Membership(next, keys: configuration.keys)
    me = membership.identity?.member
    closing = finalization
    restoration = Restoration()
    rounds = [:]
    tree = BlockTree()
    unexecuted = []
    highestCertified = 0
    unapplied = nil
    fetching = Fetching()
    answering = Answering(configuration, members: quorum.members)
    schedule = LeaderSchedule(membership)
    view = last.view + 1
    schedule.forgetSilence(before: view)
    entry = finalization
    enteredAt = now
    building = nil
    votedAt = nil
    lastWaiting = nil
    retryAt = nil
    observe(.eraBegan(era: era, view: view))
    observe(.entered(view: view, leader: leader))
  }

  /// Somebody speaks of another era: it is told how its own ended, or shows that this member is behind.
  mutating func receive(ofEra other: Era, from sender: MemberIndex) {
    if other > era {
      isCatchingUp = true
    } else if me != nil, let closing, answering.admitUnasked(sender, at: now) {
      emit(.send(.certificates([closing]), to: sender))
    }
    drop(sender, .otherEra)
  }
}
