import Messages
import Signing

/// What a regulator counts as blocks become final, and when a count becomes a flag. Flags are statistics: an honest
/// leader may be unlucky, an honest member slow, two honest operators may have the same costs. So the thresholds are
/// far from chance, each is raised once per subject, with its figures, and none has a consequence.
struct RegulatorWatch: Sendable {
  /// Transactions of one organisation that a leader should have carried by the others' rate, and carried none of.
  static let missedByLeader: UInt64 = 16
  /// Blocks of one leader before a member's votes for them say anything.
  static let blocksJudged: UInt64 = 64
  /// Of those a member must have missed so many in a hundred, and voted for so many of the others', to be flagged. A
  /// certificate holds the first quorum of votes, so everybody is missing in some.
  static let missedPercent: UInt64 = 97
  static let presentPercent: UInt64 = 40
  /// Times that one operator's price became another's within ``alignmentWindow``.
  static let alignments: UInt64 = 3
  static let alignmentWindow: Height = 256
  /// Orders that an operator answered, and of a hundred the rejections.
  static let ordersJudged: UInt64 = 16
  static let rejectedPercent: UInt64 = 90
  /// Organisations, pairs and operators that are counted at once; who comes later is not.
  static let maximumSubjects = 4_096

  private struct Pair: Hashable {
    let one: String
    let other: String
  }

  private struct Price {
    let amount: Amount
    let height: Height
  }

  private let directory: Directory
  private var members: [Member]
  private(set) var blocksLed: [String: UInt64] = [:]
  /// By organisation and leader; under no leader, by all of them.
  private var carried: [Pair: UInt64] = [:]
  private var blocks: UInt64 = 0
  /// By member and leader: blocks whose certificate has the member's vote.
  private var votes: [Pair: UInt64] = [:]
  private var certified: [String: UInt64] = [:]
  private var certifiedBlocks: UInt64 = 0
  private var prices: [Pair: Price] = [:]
  private var alignments: [Pair: UInt64] = [:]
  private var answered: [String: (confirmed: UInt64, rejected: UInt64)] = [:]
  private var raised: Set<String> = []
  private var lastLeader: String?
  private var lastHash: Digest?

  init(_ genesis: Genesis) {
    directory = Directory(genesis)
    members = genesis.members
  }

  func name(_ organisation: OrganisationID) -> String { directory.name(of: organisation) ?? organisation.short }
  func name(ofKey key: PublicKey) -> String {
    members.first { $0.key == key }?.name ?? directory.organisation(of: key).map(name) ?? key.short
  }

  // MARK: Counting

  /// - Returns: flags that the block raised.
  mutating func take(_ block: Block, hash: Digest) -> [RegulatorFinding] {
    var flags: [RegulatorFinding] = []
    countVotes(of: block.header.parentCertificate)
    let leader = name(ofMember: block.header.leader)
    blocks += 1
    blocksLed[leader, default: 0] += 1
    count(block, by: leader, &flags)
    (lastLeader, lastHash) = (leader, hash)
    judgeLeaders(block, &flags)
    judgeVotes(block, &flags)
    if let next = block.body.nextEra { members = next.members }
    return flags
  }

  private func name(ofMember index: MemberIndex) -> String {
    Int(index) < members.count ? members[Int(index)].name : "member \(index)"
  }

  private mutating func count(_ block: Block, by leader: String, _ flags: inout [RegulatorFinding]) {
    for (envelope, result) in zip(block.body.transactions, block.body.outcomes.results) {
      guard let signer = envelope.signer, let organisation = directory.organisation(of: signer) else { continue }
      let owner = name(organisation)
      add(1, to: Pair(one: owner, other: leader), of: &carried)
      add(1, to: Pair(one: owner, other: ""), of: &carried)
      guard let glance = LedgerView.Glance(envelope), result == .accepted else { continue }
      switch glance.number {
      case 2: deployed(envelope, by: owner, block, &flags)
      case 21, 22: decided(isRejection: glance.number == 22, by: owner, block, &flags)
      default: break
      }
    }
  }

  private func add(_ count: UInt64, to pair: Pair, of counts: inout [Pair: UInt64]) {
    guard counts[pair] != nil || counts.count < Self.maximumSubjects else { return }
    counts[pair, default: 0] += count
  }

  /// Of the block before.
  private mutating func countVotes(of certificate: Certificate?) {
    guard let certificate, let leader = lastLeader, certificate.ballot.proposition?.blockHash == lastHash else {
      return
    }
    certified[leader, default: 0] += 1
    certifiedBlocks += 1
    for member in certificate.members {
      add(1, to: Pair(one: name(ofMember: member), other: leader), of: &votes)
      add(1, to: Pair(one: name(ofMember: member), other: ""), of: &votes)
    }
  }

  // MARK: Flags

  private mutating func raise(
    _ kind: RegulatorFinding.Kind, _ subject: String, about other: String, _ text: String, _ block: Block,
    _ flags: inout [RegulatorFinding]
  ) {
    guard raised.count < Self.maximumSubjects, raised.insert("\(kind.rawValue) \(subject) \(other)").inserted else {
      return
    }
    flags.append(
      RegulatorFinding(
        kind: kind, height: block.header.height, time: block.header.time, subject: subject, text: text))
  }

  /// Only where the leader of this block carried nothing can it be the one.
  private mutating func judgeLeaders(_ block: Block, _ flags: inout [RegulatorFinding]) {
    guard let leader = lastLeader, let led = blocksLed[leader], led < blocks else { return }
    for (pair, count) in carried.sorted(by: { ($0.key.one, $0.key.other) < ($1.key.one, $1.key.other) })
    where pair.other.isEmpty && carried[Pair(one: pair.one, other: leader)] == nil {
      let expected = count * led / (blocks - led)
      guard expected >= Self.missedByLeader else { continue }
      let text =
        "\(leader) led \(led) blocks without one of \(pair.one)'s transactions; the others carried \(count) of them"
        + " in \(blocks - led)"
      raise(.censorship, leader, about: pair.one, text, block, &flags)
    }
  }

  private mutating func judgeVotes(_ block: Block, _ flags: inout [RegulatorFinding]) {
    guard let leader = lastLeader, let judged = certified[leader], judged >= Self.blocksJudged else { return }
    let others = certifiedBlocks - judged
    guard others >= Self.blocksJudged else { return }
    for member in members.map(\.name) where member != leader {
      let forLeader = votes[Pair(one: member, other: leader)] ?? 0
      let forOthers = (votes[Pair(one: member, other: "")] ?? 0) - forLeader
      guard (judged - min(judged, forLeader)) * 100 >= judged * Self.missedPercent,
        forOthers * 100 >= others * Self.presentPercent
      else { continue }
      let text =
        "\(member)'s vote is in \(forLeader) of \(judged) certificates of \(leader)'s blocks and in"
        + " \(forOthers) of \(others) of the others'"
      raise(.votesAgainst, member, about: leader, text, block, &flags)
    }
  }

  private mutating func deployed(
    _ envelope: Envelope, by owner: String, _ block: Block, _ flags: inout [RegulatorFinding]
  ) {
    guard case .deployContract(let terms)? = try? envelope.decode(Transaction.self).action else { return }
    let (profile, amount) = (terms.service.profile, terms.money.pricePerEpoch)
    let height = block.header.height
    defer {
      if prices.count < Self.maximumSubjects || prices[Pair(one: owner, other: profile)] != nil {
        prices[Pair(one: owner, other: profile)] = Price(amount: amount, height: height)
      }
    }
    // A first offer follows nobody.
    guard let before = prices[Pair(one: owner, other: profile)], before.amount != amount else { return }
    for (pair, price) in prices.sorted(by: { $0.key.one < $1.key.one })
    where pair.other == profile && pair.one != owner && price.amount == amount
      && height - price.height <= Self.alignmentWindow
    {
      let key = Pair(one: min(owner, pair.one), other: max(owner, pair.one))
      add(1, to: key, of: &alignments)
      guard let count = alignments[key], count >= Self.alignments else { continue }
      let text =
        "\(key.one) and \(key.other): one's price became the other's \(count) times within"
        + " \(Self.alignmentWindow) blocks, last \(amount) for \(profile)"
      raise(.alignedOffers, key.one, about: key.other, text, block, &flags)
    }
  }

  private mutating func decided(
    isRejection: Bool, by owner: String, _ block: Block, _ flags: inout [RegulatorFinding]
  ) {
    guard answered[owner] != nil || answered.count < Self.maximumSubjects else { return }
    var counts = answered[owner] ?? (0, 0)
    if isRejection { counts.rejected += 1 } else { counts.confirmed += 1 }
    answered[owner] = counts
    let total = counts.confirmed + counts.rejected
    guard total >= Self.ordersJudged, counts.rejected * 100 >= total * Self.rejectedPercent else { return }
    raise(
      .neverFeasible, owner, about: "", "\(owner) rejected \(counts.rejected) of \(total) orders of its own offers",
      block, &flags)
  }
}
