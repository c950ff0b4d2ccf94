import Messages
import Signing
import Wire

/// Why a piece of a snapshot is of no use. Ask another member for the same piece; nothing taken before is in doubt.
public enum SnapshotError: Error, Hashable, Sendable {
  /// Of another height, of another range, or cut without an entry.
  case notWhatWasAsked
  case proof(ProofError)
  /// The quorum signed a state with something in it that this program cannot read.
  case unreadable(key: [UInt8])
  /// All pieces are there, and are not a state of this network at this height.
  case notThisLedger(String)
}

extension LedgerState {
  /// A piece of a snapshot of this state: the entries from a key on, as many as fit, with the proof that these are all.
  public func snapshotChunk(
    from: [UInt8], maximumEntries: Int = SnapshotChunk.maximumEntries
  ) -> SnapshotChunk {
    var last: [UInt8]?
    var count = 0
    var bytes = 0
    var isWhole = true
    tree.forEach(from: from, before: SnapshotChunk.end) { key, record in
      bytes += key.count + record.encoded.count
      guard count == 0 || count < maximumEntries && bytes <= SnapshotChunk.maximumBytes else {
        isWhole = false
        return false
      }
      count += 1
      last = key
      return true
    }
    let before = isWhole ? SnapshotChunk.end : (last ?? from) + [0]
    return SnapshotChunk(
      height: height, from: from, before: before, proof: tree.rangeProof(from: from, before: before))
  }

  /// Keys in the state.
  public var entryCount: UInt64 { UInt64(tree.count) }

  /// The state that a snapshot's entries are.
  init(genesis: Genesis, tree: KeyedMerkleTree<LedgerRecord>) throws(SnapshotError) {
    guard case .chain(let chain)? = tree[LedgerKey.chain], chain.network == genesis.networkID else {
      throw .notThisLedger("its chain record is not this network's")
    }
    self.init(rules: NetworkRules(genesis), tree: tree, chain: chain)
  }
}

/// A state put together from pieces, each of which is proved against the root in the manifest's header before anything
/// of it is kept: a liar costs one piece, and from whom each came does not matter. The manifest's own certificate was
/// checked when it was taken (``Verifiable``).
///
/// Pieces come in key order, so that what is still missing is one key; nothing else needs to be remembered to resume.
public struct SnapshotAssembly: Sendable {
  public let manifest: SnapshotManifest
  /// First key of the next piece; nil when all are here.
  public private(set) var next: [UInt8]? = []
  private var tree = KeyedMerkleTree<LedgerRecord>()

  public init(_ manifest: SnapshotManifest) { self.manifest = manifest }

  public var entries: Int { tree.count }

  public mutating func take(_ chunk: SnapshotChunk) throws(SnapshotError) {
    guard let next, chunk.height == manifest.height, chunk.from == next else { throw .notWhatWasAsked }
    let isLast = chunk.before == SnapshotChunk.end
    let pairs: [(key: [UInt8], value: [UInt8])]
    do throws(ProofError) {
      pairs = try chunk.proof.values(from: chunk.from, before: chunk.before, root: manifest.header.stateRoot)
    } catch {
      throw .proof(error)
    }
    // Cut anywhere but behind an entry it would not end, or end too early.
    if !isLast { guard let last = pairs.last, chunk.before == last.key + [0] else { throw .notWhatWasAsked } }
    var records: [(key: [UInt8], record: LedgerRecord)] = []
    records.reserveCapacity(pairs.count)
    for (key, value) in pairs {
      guard let record = try? LedgerRecord(decoding: value) else { throw .unreadable(key: key) }
      records.append((key, record))
    }
    for (key, record) in records { tree.set(key, record) }
    self.next = isLast ? nil : chunk.before
  }

  /// The whole state.
  public func state(genesis: Genesis) throws(SnapshotError) -> LedgerState {
    // The manifest's count of entries is nobody's word but the server's.
    guard next == nil else { throw .notThisLedger("\(tree.count) entries, and more are missing") }
    let state = try LedgerState(genesis: genesis, tree: tree)
    guard state.height == manifest.height, state.time == manifest.header.time else {
      throw .notThisLedger("it is the state after block \(state.height)")
    }
    guard state.root == manifest.header.stateRoot else { throw .notThisLedger("its root is \(state.root)") }
    return state
  }
}
