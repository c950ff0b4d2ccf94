/// How many members must agree. With n members of which at most f = ⌊(n−1)/3⌋ are faulty, a quorum is
/// q = ⌊(n+f)/2⌋ + 1: the smallest size at which any two quorums share an honest member (2q − n > f), and never more
/// than the n − f members that are up.
///
/// The familiar 2f + 1 is the same number only when n = 3f + 1. With six members (f = 1) it would be three, and two
/// disjoint triples could finalize two different blocks without a single faulty member.
public struct Quorum: Hashable, Sendable {
  /// n: voting members.
  public let members: Int
  /// f: faulty members that safety and liveness survive.
  public let faults: Int
  /// q: votes that make a certificate.
  public let votes: Int

  /// - Parameter members: at least 1.
  public init(members: Int) {
    self.members = members
    faults = (members - 1) / 3
    votes = (members + faults) / 2 + 1
  }

  /// One more than the faulty members: at least one of that many is honest.
  public var oneHonest: Int { faults + 1 }
}

/// The position of a voting member in the genesis.
public typealias MemberIndex = UInt16
/// The number of a member set; views are ordered by (era, view). (Not the epoch of an SLA.)
public typealias Era = UInt64
