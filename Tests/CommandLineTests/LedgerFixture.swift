import Assembly
import Effects
import Foundation
import Ledger
import Messages
import Roles
import Signing
import Storage
import Testing
import Topology

/// A consortium's directory as a node leaves it, with a chain that was made here: real signatures, certificates of all
/// members, a contract, transfers and one transaction that is refused.
struct LedgerFixture {
  private(set) var folder: Folder
  let topology: Topology
  let genesis: Genesis
  let keyring = SeededKeyring(seed: 7, scheme: .ed25519)
  private let keys: KeyDirectory
  private(set) var segments: [LedgerSegment] = []
  private var state: LedgerState
  /// After each block.
  private var states: [LedgerState] = []

  init() throws {
    folder = try Folder()
    let path = Program.topology("remote-surgery")
    let text = [UInt8](try Data(contentsOf: URL(filePath: path)))
    topology = try TopologyParser.parse(text, file: path).topology
    keys = try KeyDirectory(topology, keyring)
    genesis = Genesis(
      topology, keys: keys, salt: Array(repeating: 7, count: Genesis.saltBytes), scheme: .ed25519,
      time: Instant(nanoseconds: 1_800_000_000_000_000_000))
    state = try LedgerState(genesis: genesis)
    try Data(text).write(to: folder.url.appending(path: "topology.yaml"))
    try Data(genesis.encoded).write(to: folder.url.appending(path: "genesis.cbor"))
    try grow()
  }

  var members: [String] { genesis.members.map(\.name) }

  private mutating func grow() throws {
    let deployment = Deployment(
      topology: topology, genesis: genesis, keys: keys, measurement: Digest(label: "test", []))
    let contract = try #require(deployment.contracts.first)
    try append([try sign(.deployContract(contract.terms), as: KeyName(.controller, "alpha"), nonce: 1)])
    let bravo = keys.organisation("bravo")
    try append([try sign(.transfer(to: bravo, amount: 1000), as: KeyName(.treasury, "hospital"), nonce: 1)])
    try append([
      try sign(.transfer(to: bravo, amount: .max / 2), as: KeyName(.treasury, "hospital"), nonce: 2),
      try sign(.transfer(to: keys.organisation("hospital"), amount: 1), as: KeyName(.treasury, "bravo"), nonce: 1),
    ])
    try append([])
  }

  private func sign(_ action: Action, as name: KeyName, nonce: UInt64) throws -> SignedTransaction {
    SignedTransaction(
      signing: Transaction(nonce: nonce, expiry: 1000, action: action), with: try keyring.signingKey(name),
      network: genesis.networkID)
  }

  /// One block, final by itself, as a leader and all members would make it.
  private mutating func append(_ transactions: [SignedTransaction]) throws {
    let height = state.height + 1
    let previous = segments.last?.blocks.last
    let parent = previous?.hash ?? genesis.networkID
    let context = BlockContext(
      era: 0, view: height, height: height, time: state.time + .milliseconds(500), leader: Int(height % 4),
      parentHash: parent)
    let executed = try state.executing(transactions, in: context)
    let body = BlockBody(transactions: transactions.map(\.envelope), outcomes: executed.outcomes)
    let header = BlockHeader(
      era: 0, view: height, parentView: height - 1, height: height, parentHash: parent, time: context.time,
      leader: MemberIndex(context.leader), transactionsRoot: body.transactionsRoot, outcomesRoot: body.outcomesRoot,
      stateRoot: executed.state.root,
      parentCertificate: try previous.map { try certificate(.notarize($0.header.proposition(hash: parent))) },
      skipped: [])
    let block = Block(header: header, body: body)
    segments.append(
      LedgerSegment(
        blocks: [block], finalization: try certificate(.finalize(header.proposition(hash: block.hash)))))
    state = executed.state
    states.append(state)
  }

  private func certificate(_ ballot: Ballot) throws -> Certificate {
    Certificate(
      ballot: ballot,
      votes: try genesis.members.enumerated().map { index, member in
        let vote = Vote(
          ballot, by: MemberIndex(index), with: try keyring.signingKey(KeyName(.validator, member.name)),
          network: genesis.networkID)
        return (vote.member, vote.signature)
      })
  }

  /// The same network in a directory of its own, the last block replaced by another that as many members signed.
  func rewritten() throws -> LedgerFixture {
    var other = self
    other.folder = try Folder()
    for name in ["topology.yaml", "genesis.cbor"] {
      try FileManager.default.copyItem(
        at: folder.url.appending(path: name), to: other.folder.url.appending(path: name))
    }
    other.segments.removeLast()
    other.states.removeLast()
    other.state = try #require(other.states.last)
    try other.append([
      try sign(.transfer(to: keys.organisation("alpha"), amount: 7), as: KeyName(.treasury, "bravo"), nonce: 9)
    ])
    return other
  }

  // MARK: The members' disks

  /// Writes one member's block log.
  /// - Parameter change: makes of a segment's bytes what is to lie on this member's disk; nil leaves it out.
  func store(_ member: String, change: (Height, [UInt8]) -> [UInt8]? = { $1 }) throws {
    let validators = folder.url.appending(path: "validators")
    try FileManager.default.createDirectory(at: validators, withIntermediateDirectories: true)
    let store = try SQLiteRecordStore(path: validators.appending(path: "\(member).sqlite").path)
    for segment in segments {
      guard let height = segment.blocks.last?.header.height, let bytes = change(height, segment.encoded) else {
        continue
      }
      try store.commit([.put(stream: ValidatorCore.Stream.segments, key: height, bytes: bytes)])
    }
    try store.close()
  }

  /// Writes one member's disk as pruning leaves it: a snapshot of this height, and the blocks from `first` on.
  /// - Parameters:
  ///   - state: whose entries the pieces hold; nil for the right one.
  ///   - change: as in ``store(_:change:)``.
  func storePruned(
    _ member: String, snapshot height: Height, keepingFrom first: Height, state other: LedgerState? = nil,
    change: (Height, [UInt8]) -> [UInt8]? = { $1 }
  ) throws {
    try store(member) { key, bytes in key >= first ? change(key, bytes) : nil }
    let path = folder.url.appending(path: "validators/\(member).sqlite").path
    let store = try SQLiteRecordStore(path: path)
    let segment = segments[Int(height) - 1]
    let state = other ?? states[Int(height) - 1]
    let manifest = SnapshotManifest(
      headers: segment.blocks.map(\.header), finalization: segment.finalization, entries: state.entryCount)
    var records: [Record] = [.put(stream: ValidatorCore.Stream.snapshots, key: height, bytes: manifest.encoded)]
    var next: [UInt8] = []
    repeat {
      let piece = state.snapshotChunk(from: next, maximumEntries: 16)
      let stored = SnapshotChunk(height: height, from: piece.from, before: piece.before, proof: piece.proof)
      records.append(
        .put(
          stream: ValidatorCore.Stream.pieces, key: ValidatorCore.pieceKey(height, UInt64(records.count) - 1),
          bytes: stored.encoded))
      next = piece.before
    } while next != SnapshotChunk.end
    try store.commit(records)
    try store.close()
  }

  func state(after height: Height) -> LedgerState { states[Int(height) - 1] }

  func storeAll() throws { for member in members { try store(member) } }
}
