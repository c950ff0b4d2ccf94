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

  public static let empty = BlockBody(transactions: [], outcomes: BlockOutcomes(results: [], events: []))

  /// Merkle root over the digests of the transactions, in order (RFC 9162 §2.1.1 tree).
  public var transactionsRoot: Digest { MerkleTree.root(of: transactions.map(\.bytes)) }
  /// Digest of the outcomes' canonical bytes.
  public var outcomesRoot: Digest { Digest(hashing: outcomes.encoded) }

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

/// What executing a block gave: one result per transaction, then everything that happened, in order.
public struct BlockOutcomes: Hashable, Sendable, WireCodable {
  public var results: [TransactionResult]
  public var events: [LedgerEvent]

  public init(results: [TransactionResult], events: [LedgerEvent]) {
    self.results = results
    self.events = events
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(list: results)
    writer.write(list: events)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    (results, events) = try reader.record(2) { (reader) throws(WireError) in
      (try reader.list(maximum: BlockBody.maximumTransactions), try reader.list())
    }
  }
}
