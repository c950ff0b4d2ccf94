import Consensus
import FixtureSupport
import Messages
import Signing
import Wire

/// What the tests put into blocks: a number in a signed envelope of a transaction's kind.
struct Note: SignedPayload, Hashable {
  static let kind = MessageKind.transaction
  let number: UInt64

  func encode(to writer: inout CBORWriter) { writer.write(number) }
  init(number: UInt64) { self.number = number }
  init(from reader: inout CBORReader) throws(WireError) { number = try reader.uint() }
}

/// Keys and configuration of a small network, the same from the same seed.
///
/// Participants are numbered once and for all; which of them are members, and under which number and key, is a matter
/// of the era. Key k is participant k mod ``keysApart``'s, its (k ÷ keysApart)-th.
struct TestConsortium {
  let network: Digest
  /// Of the members of era 0, in member order.
  let keys: [SigningKey]
  let leaders: [MemberIndex]
  /// Knows era 0.
  let context: VerificationContext
  /// Members, by the numbers of their keys, of every era that is planned.
  let plan: [[Int]]
  /// Member or not.
  let participants: Int
  private let regulators: Range<Int>
  private let allKeys: [Int: SigningKey]
  let genesisTime = Instant(nanoseconds: 1_700_000_000_000_000_000)

  static let keysApart = 16
  /// Notes from here on end an era: the n-th ends era n.
  static let firstChange: UInt64 = 1 << 32

  /// - Parameter later: member sets of eras 1, 2 …, by key numbers.
  init(operators: Int, regulators: Int = 0, salt: UInt64 = 0, later: [[Int]] = []) throws {
    network = Digest(label: "test network", salt.encoded)
    plan = [Array(0..<operators + regulators)] + later
    var allKeys: [Int: SigningKey] = [:]
    for number in plan.joined() where allKeys[number] == nil {
      allKeys[number] = try SigningKey(seed: [UInt8](repeating: UInt8(number + 1), count: 32), scheme: .simulated)
    }
    self.allKeys = allKeys
    self.regulators = operators..<operators + regulators
    keys = plan[0].compactMap { allKeys[$0] }
    participants = (plan.joined().map { $0 % Self.keysApart }.max() ?? 0) + 1
    leaders = (0..<operators).map { MemberIndex($0) }
    context = VerificationContext(network: network, scheme: .simulated, members: keys.map(\.publicKey))
  }

  var count: Int { keys.count }
  var quorum: Quorum { Quorum(members: count) }
  var genesis: BlockReference { BlockReference(hash: network, view: 0, height: 0, time: genesisTime) }

  /// The planned members of an era.
  func era(_ era: Era, firstView: View = 1) -> EraRecord {
    EraRecord(
      era: era, firstView: firstView,
      members: plan[Int(era)].compactMap { number in
        let participant = number % Self.keysApart
        return allKeys[number].map {
          Member(
            name: "member-\(participant)", key: $0.publicKey,
            organisation: OrganisationID(value: Digest(label: "organisation", UInt64(participant).encoded).value),
            leads: !regulators.contains(participant))
        }
      })
  }

  /// Knows every planned era.
  var fullContext: VerificationContext {
    var full = context
    for number in plan.indices.dropFirst() { full.learn(era(Era(number))) }
    return full
  }

  /// Which participant a member of an era is.
  func participant(_ member: MemberIndex, in era: Era) -> MemberIndex {
    MemberIndex(plan[Int(era)][Int(member)] % Self.keysApart)
  }

  func member(_ participant: MemberIndex, in era: Era) -> MemberIndex? {
    plan[Int(era)].firstIndex { $0 % Self.keysApart == Int(participant) }.map { MemberIndex($0) }
  }

  /// All keys that a participant ever has.
  func keys(of participant: MemberIndex) -> [SigningKey] {
    allKeys.keys.sorted().filter { $0 % Self.keysApart == Int(participant) }.compactMap { allKeys[$0] }
  }

  func configuration(of participant: MemberIndex?, era record: EraRecord? = nil) -> ConsensusConfiguration {
    ConsensusConfiguration(
      network: network, genesisTime: genesisTime, era: record ?? era(0),
      keys: participant.map { keys(of: $0) } ?? [])
  }

  func vote(_ ballot: Ballot, by member: MemberIndex) -> Vote {
    let number = plan[Int(ballot.era)][Int(member)]
    return Vote(ballot, by: member, with: allKeys[number] ?? keys[0], network: network)
  }

  func certificate(_ ballot: Ballot, by members: [MemberIndex]) -> Certificate {
    Certificate(ballot: ballot, votes: members.sorted().map { ($0, vote(ballot, by: $0).signature) })
  }

  func note(_ number: UInt64) -> Envelope { Envelope(signing: Note(number: number), with: keys[0], network: network) }

  func leader(of view: View, in number: Era = 0) -> MemberIndex {
    let leaders = era(number).leaders
    return leaders[Int(view % UInt64(leaders.count))]
  }

  /// A valid block of the test application, with its leader's vote.
  func proposal(
    view: View, on parent: BlockReference, certificate: Certificate?, skipped: [Certificate] = [], notes: [UInt64] = [],
    time: Instant? = nil, stateRoot: Digest? = nil, era: Era? = nil
  ) -> Proposal {
    let era = era ?? (certificate?.era ?? 0)
    let body = TestApplication.body(notes.map(note), era: era, view: view, of: self)
    let header = BlockHeader(
      era: era, view: view, parentView: parent.view, height: parent.height + 1, parentHash: parent.hash,
      time: time ?? parent.time + .milliseconds(1), leader: leader(of: view, in: era),
      transactionsRoot: body.transactionsRoot, outcomesRoot: body.outcomesRoot,
      stateRoot: stateRoot ?? TestApplication.root(after: parent.hash, body), parentCertificate: certificate,
      skipped: skipped)
    let block = Block(header: header, body: body)
    return Proposal(block: block, vote: vote(.notarize(header.proposition(hash: block.hash)), by: header.leader))
  }
}

extension Proposal {
  var hash: Digest { block.hash }
  var proposition: Proposition { block.header.proposition(hash: hash) }
  var reference: BlockReference { BlockReference(block.header, hash: hash) }
}

/// A state machine whose state is a hash of everything that led to it.
enum TestApplication {
  static func root(after parent: Digest, _ body: BlockBody) -> Digest {
    Digest(label: "state", parent.bytes, body.transactionsRoot.bytes)
  }

  /// A note that ends an era does so only in that era.
  static func change(_ note: Envelope) -> Era? {
    guard let number = try? note.decode(Note.self).number, number >= TestConsortium.firstChange else { return nil }
    return number - TestConsortium.firstChange
  }

  static func body(_ notes: [Envelope], era: Era, view: View, of consortium: TestConsortium) -> BlockBody {
    let ends = notes.contains { change($0) == era } && Int(era) + 1 < consortium.plan.count
    return BlockBody(
      transactions: notes,
      outcomes: BlockOutcomes(
        results: notes.map { _ in .accepted },
        events: ends ? [.eraEnds(next: consortium.era(era + 1, firstView: view + 1))] : []))
  }
}

/// One member's node: a core, a disk and a mempool. A crash keeps the disk.
struct TestMember {
  let index: MemberIndex
  let consortium: TestConsortium
  var core: ConsensusCore?
  var verifier: Verifier

  // The disk.
  var records: [UInt64: ConsensusRecord] = [:]
  var log: [LedgerSegment] = []
  var evidence: [ConsensusEvidence] = []
  var recollection = Recollection.complete

  // Memory.
  var timers: [ConsensusTimer: UInt64] = [:]
  var executed: Set<Digest> = []
  var placed: [Digest: View] = [:]
  var isToldWaiting = false

  // The world's view of it.
  var pool: [(envelope: Envelope, digest: Digest, change: Era?)] = []
  var final: Set<Digest> = []
  var isMute = false
  /// Its execution gives another root than everybody else's.
  var computesOtherwise = false
  var halted: String?

  init(_ index: MemberIndex, of consortium: TestConsortium) {
    self.index = index
    self.consortium = consortium
    verifier = Verifier(context: consortium.context)
    era = consortium.era(0)
  }

  var tip: BlockHeader? { log.last?.blocks.last?.header }
  var height: Height { tip?.height ?? 0 }
  var isUp: Bool { core != nil && halted == nil }
  /// The era of the next block.
  private(set) var era: EraRecord

  /// A life begins with what the disk holds.
  mutating func boot() {
    var configuration = consortium.configuration(of: index, era: era)
    configuration.recollection = recollection
    core = ConsensusCore(
      configuration: configuration, finalized: tip,
      finalization: log.last?.finalization, replaying: records.keys.sorted().compactMap { records[$0] })
    timers = [:]
    placed = [:]
    isToldWaiting = false
    for next in log.compactMap(\.nextEra) {
      verifier.learn(next)
      era = next
    }
    executed = [tip?.hash ?? consortium.network]
    for segment in log { for block in segment.blocks { final.formUnion(block.body.transactions.map(\.digest)) } }
  }

  mutating func crash() { core = nil }

  var waiting: [Envelope] { pool.filter { isWaiting($0) }.map(\.envelope) }
  var hasWaiting: Bool { pool.contains { isWaiting($0) } }

  private func isWaiting(_ note: (envelope: Envelope, digest: Digest, change: Era?)) -> Bool {
    placed[note.digest] == nil && !final.contains(note.digest) && (note.change ?? era.era) == era.era
  }

  mutating func validate(_ block: Block, hash: Digest) -> Validation {
    guard executed.contains(block.header.parentHash) else { return .notYet }
    let header = block.header
    guard !computesOtherwise, TestApplication.root(after: header.parentHash, block.body) == header.stateRoot,
      block.body
        == TestApplication.body(block.body.transactions, era: header.era, view: header.view, of: consortium)
    else { return .invalid("state root") }
    executed.insert(hash)
    return .valid
  }

  mutating func finalize(_ segment: LedgerSegment) {
    log.append(segment)
    if let next = segment.nextEra {
      verifier.learn(next)
      era = next
    }
    for block in segment.blocks {
      final.formUnion(block.body.transactions.map(\.digest))
      executed.insert(block.hash)
    }
    if let view = tip?.view { placed = placed.filter { $0.value > view } }
    pool.removeAll { final.contains($0.digest) }
  }
}
