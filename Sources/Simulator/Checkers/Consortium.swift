import Messages
import Signing

/// Who votes, as the checkers know it: from the genesis, counted on their own. ``Quorum`` and ``Verifier`` are among
/// what is checked, so neither is used here.
struct Consortium {
  struct Seat {
    let name: String
    let key: PublicKey
    let leads: Bool
  }

  let network: Digest
  let scheme: SignatureScheme
  let seats: [Seat]
  let genesisTime: Instant
  /// Members that are not expected to be honest: a topology lets them cheat, or their disk lost what it acknowledged.
  private(set) var faulty: Set<MemberIndex>

  init(genesis: Genesis, faulty: Set<MemberIndex>) {
    network = genesis.networkID
    scheme = genesis.signatureScheme ?? .ed25519
    seats = genesis.members.map { Seat(name: $0.name, key: $0.key, leads: $0.leads) }
    genesisTime = genesis.time
    self.faulty = faulty
  }

  var count: Int { seats.count }

  /// The most faulty members that n = 3f + 1 or more survive.
  var maximumFaulty: Int {
    var faults = 0
    while 3 * (faults + 1) < count { faults += 1 }
    return faults
  }

  /// The least number of votes of which any two sets share more than ``maximumFaulty`` members.
  var quorum: Int {
    var votes = 1
    while 2 * votes - count <= maximumFaulty { votes += 1 }
    return votes
  }

  mutating func excuse(_ member: MemberIndex) { faulty.insert(member) }
  func isHonest(_ member: MemberIndex) -> Bool { !faulty.contains(member) }
  func name(_ member: MemberIndex) -> String {
    Int(member) < count ? seats[Int(member)].name : "member \(member)"
  }

  /// Whether the vote was made with its member's key.
  func isSigned(_ vote: Vote) -> Bool {
    guard Int(vote.member) < count,
      let check = vote.envelope.check(network: network, by: seats[Int(vote.member)].key)
    else { return false }
    return Verifier.holds(check, scheme: scheme)
  }
}

extension Ballot {
  var name: String {
    switch self {
    case .notarize: "notarize"
    case .nullify: "nullify"
    case .finalize: "finalize"
    }
  }
}
