import Signing
import Wire

/// What a block carries besides its header: signed transactions in order, and what executing them gave. Outcomes
/// stand in the block so that a follower learns the effect of every transaction and deadline without executing;
/// every voting member re-executes and compares.
public struct BlockBody: Hashable, Sendable, WireCodable {
  public var transactions: [Envelope]
  public var outcomes: BlockOutcomes

  public static let maximumTransactions = 4096

  public init(transactions: [Envelope], outcomes: BlockOutcomes) {
    self.transactions = transactions
    self.outcomes = outcomes
  }

  /// The era that begins after this block, if it is the last of its own. Execution puts the event at the end.
  public var nextEra: EraRecord? {
    if case .eraEnds(let next)? = outcomes.events.last { next } else { nil }
  }

  public static let empty = BlockBody(transactions: [], outcomes: BlockOutcomes(results: [], events: []))

  /// Merkle root over the digests of the transactions, in order (RFC 9162 §2.1.1 tree).
  public var transactionsRoot: Digest { MerkleTree.root(of: transactions.map(\.bytes)) }
  public var outcomesRoot: Digest { MerkleTree.root(of: outcomes.leaves) }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(list: transactions)
    writer.write(outcomes)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    (transactions, outcomes) = try reader.record(2) { (reader) throws(WireError) in
      (try reader.list(maximum: Self.maximumTransactions), try reader.value())
    }
  }
}

/// What executing a block gave: one result per transaction, everything that happened, in order, and the room used.
public struct BlockOutcomes: Hashable, Sendable, WireCodable {
  public var results: [TransactionResult]
  public var events: [LedgerEvent]
  public var room: BlockRoom

  public init(results: [TransactionResult], events: [LedgerEvent], room: BlockRoom = .unused) {
    self.results = results
    self.events = events
    self.room = room
  }

  /// Leaves of the Merkle tree whose root stands in the header (RFC 9162 §2.1.1): the canonical bytes of each field,
  /// so that one can be shown without the others.
  var leaves: [[UInt8]] {
    var results = CBORWriter()
    results.write(list: self.results)
    var events = CBORWriter()
    events.write(list: self.events)
    return [results.bytes, events.bytes, room.encoded]
  }

  /// As many as there are fields.
  public static let leafCount: UInt64 = 3
  /// Which of them ``room`` is.
  public static let roomLeaf: UInt64 = 2

  /// Shows ``room`` to somebody who has only the header.
  public var roomProof: MerkleTree.InclusionProof? {
    MerkleTree.inclusionProof(of: Int(Self.roomLeaf), leafHashes: leaves.map(MerkleTree.leafHash))
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(3)
    writer.write(list: results)
    writer.write(list: events)
    writer.write(room)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    (results, events, room) = try reader.record(3) { (reader) throws(WireError) in
      (try reader.list(maximum: BlockBody.maximumTransactions), try reader.list(), try reader.value())
    }
  }
}
