import Messages
import Signing

/// One view of one era: views are ordered by both.
struct Place: Hashable, Comparable, CustomStringConvertible {
  let era: Era
  let view: View

  static func < (left: Place, right: Place) -> Bool { (left.era, left.view) < (right.era, right.view) }
  var description: String { era == 0 ? "\(view)" : "\(view) of era \(era)" }
}

extension Ballot {
  var place: Place { Place(era: era, view: view) }

  var name: String {
    switch self {
    case .notarize: "notarize"
    case .nullify: "nullify"
    case .finalize: "finalize"
    }
  }
}

/// Who votes, as the checkers know it: from the genesis and from the eras that final blocks begin, counted on their
/// own. ``Quorum`` and ``Verifier`` are among what is checked, so neither is used here.
///
/// A member's number is its position in one era. Checkers follow organisations' members through all of them, so they
/// number members anew: those of the genesis in their order, then whoever joins.
struct Consortium {
  let network: Digest
  let scheme: SignatureScheme
  let genesisTime: Instant
  /// How many members the genesis has.
  let count: Int
  /// By the checkers' numbers.
  private var names: [String]
  private var eras: [Era: [(member: MemberIndex, key: PublicKey)]] = [:]
  /// Members that are not expected to be honest: a topology lets them cheat, or their disk lost what it acknowledged.
  private(set) var faulty: Set<MemberIndex>

  init(genesis: Genesis, faulty: Set<MemberIndex>) {
    network = genesis.networkID
    scheme = genesis.signatureScheme ?? .ed25519
    genesisTime = genesis.time
    count = genesis.members.count
    names = genesis.members.map(\.name)
    self.faulty = faulty
    eras[0] = genesis.members.enumerated().map { (MemberIndex($0.offset), $0.element.key) }
  }

  /// An era that a final block begins. Whether it is what was known of it.
  mutating func learn(_ era: Era, _ members: [Member]) -> Bool {
    let seats = members.map { (member: number(of: $0.name), key: $0.key) }
    guard let known = eras[era] else {
      eras[era] = seats
      return true
    }
    return known.count == seats.count && zip(known, seats).allSatisfy { $0.key == $1.key }
  }

  /// The checkers' number of a member; a new one for a name not heard of before.
  mutating func number(of name: String) -> MemberIndex {
    if let known = names.firstIndex(of: name) { return MemberIndex(known) }
    names.append(name)
    return MemberIndex(names.count - 1)
  }

  /// Who votes under a number of an era; nil for nobody.
  func voter(_ member: MemberIndex, in era: Era) -> MemberIndex? {
    guard let seats = eras[era], Int(member) < seats.count else { return nil }
    return seats[Int(member)].member
  }

  func voter(of vote: Vote) -> MemberIndex? { voter(vote.member, in: vote.ballot.era) }

  /// The most faulty members that n = 3f + 1 or more survive.
  func maximumFaulty(in era: Era = 0) -> Int {
    let count = eras[era]?.count ?? 0
    var faults = 0
    while 3 * (faults + 1) < count { faults += 1 }
    return faults
  }

  /// The least number of votes of which any two sets share more than ``maximumFaulty(in:)`` members.
  func quorum(in era: Era = 0) -> Int {
    let count = eras[era]?.count ?? 0
    var votes = 1
    while 2 * votes - count <= maximumFaulty(in: era) { votes += 1 }
    return votes
  }

  mutating func excuse(_ member: MemberIndex) { faulty.insert(member) }
  func isHonest(_ member: MemberIndex) -> Bool { !faulty.contains(member) }
  func name(_ member: MemberIndex) -> String {
    Int(member) < names.count ? names[Int(member)] : "member \(member)"
  }

  /// Whether the vote was made with its member's key.
  func isSigned(_ vote: Vote) -> Bool {
    guard let seats = eras[vote.ballot.era], Int(vote.member) < seats.count,
      let check = vote.envelope.check(network: network, by: seats[Int(vote.member)].key)
    else { return false }
    return Verifier.holds(check, scheme: scheme)
  }
}
