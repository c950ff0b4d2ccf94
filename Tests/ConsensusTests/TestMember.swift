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
struct TestConsortium {
  let network: Digest
  let keys: [SigningKey]
  let leaders: [MemberIndex]
  let context: VerificationContext
  let genesisTime = Instant(nanoseconds: 1_700_000_000_000_000_000)

  init(operators: Int, regulators: Int = 0, salt: UInt64 = 0) throws {
    network = Digest(label: "test network", salt.encoded)
    keys = try (0..<operators + regulators).map { index in
      try SigningKey(seed: [UInt8](repeating: UInt8(index + 1), count: 32), scheme: .simulated)
    }
    leaders = (0..<operators).map { MemberIndex($0) }
    context = VerificationContext(network: network, scheme: .simulated, members: keys.map(\.publicKey))
  }

  var count: Int { keys.count }
  var quorum: Quorum { Quorum(members: count) }
  var genesis: BlockReference { BlockReference(hash: network, view: 0, height: 0, time: genesisTime) }

  func configuration(of member: MemberIndex?) -> ConsensusConfiguration {
    ConsensusConfiguration(
      network: network, genesisTime: genesisTime, members: count, leaders: leaders,
      identity: member.map { .init(member: $0, key: keys[Int($0)]) })
  }

  func vote(_ ballot: Ballot, by member: MemberIndex) -> Vote {
    Vote(ballot, by: member, with: keys[Int(member)], network: network)
  }

  func certificate(_ ballot: Ballot, by members: [MemberIndex]) -> Certificate {
    Certificate(ballot: ballot, votes: members.sorted().map { ($0, vote(ballot, by: $0).signature) })
  }

  func note(_ number: UInt64) -> Envelope { Envelope(signing: Note(number: number), with: keys[0], network: network) }

  func leader(of view: View) -> MemberIndex { leaders[Int(view % UInt64(leaders.count))] }

  /// A valid block of the test application, with its leader's vote.
  func proposal(
    view: View, on parent: BlockReference, certificate: Certificate?, skipped: [Certificate] = [], notes: [UInt64] = [],
    time: Instant? = nil, stateRoot: Digest? = nil
  ) -> Proposal {
    let body = BlockBody(
      transactions: notes.map(note), outcomes: BlockOutcomes(results: notes.map { _ in .accepted }, events: []))
    let header = BlockHeader(
      era: 0, view: view, parentView: parent.view, height: parent.height + 1, parentHash: parent.hash,
      time: time ?? parent.time + .milliseconds(1), leader: leader(of: view),
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

  // Memory.
  var timers: [ConsensusTimer: UInt64] = [:]
  var executed: Set<Digest> = []
  var placed: [Digest: View] = [:]
  var isToldWaiting = false

  // The world's view of it.
  var pool: [(envelope: Envelope, digest: Digest)] = []
  var final: Set<Digest> = []
  var isMute = false
  var halted: String?

  init(_ index: MemberIndex, of consortium: TestConsortium) {
    self.index = index
    self.consortium = consortium
    verifier = Verifier(context: consortium.context)
  }

  var tip: BlockHeader? { log.last?.blocks.last?.header }
  var height: Height { tip?.height ?? 0 }
  var isUp: Bool { core != nil && halted == nil }

  /// A life begins with what the disk holds.
  mutating func boot() {
    core = ConsensusCore(
      configuration: consortium.configuration(of: index), finalized: tip,
      replaying: records.keys.sorted().compactMap { records[$0] })
    timers = [:]
    placed = [:]
    isToldWaiting = false
    executed = [tip?.hash ?? consortium.network]
    for segment in log { for block in segment.blocks { final.formUnion(block.body.transactions.map(\.digest)) } }
  }

  mutating func crash() { core = nil }

  var waiting: [Envelope] { pool.filter { isWaiting($0.digest) }.map(\.envelope) }
  var hasWaiting: Bool { pool.contains { isWaiting($0.digest) } }
  private func isWaiting(_ digest: Digest) -> Bool { placed[digest] == nil && !final.contains(digest) }

  mutating func validate(_ block: Block, hash: Digest) -> Validation {
    guard executed.contains(block.header.parentHash) else { return .notYet }
    guard TestApplication.root(after: block.header.parentHash, block.body) == block.header.stateRoot else {
      return .invalid("state root")
    }
    executed.insert(hash)
    return .valid
  }

  mutating func finalize(_ segment: LedgerSegment) {
    log.append(segment)
    for block in segment.blocks {
      final.formUnion(block.body.transactions.map(\.digest))
      executed.insert(block.hash)
    }
    if let view = tip?.view { placed = placed.filter { $0.value > view } }
    pool.removeAll { final.contains($0.digest) }
  }
}
