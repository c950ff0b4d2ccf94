import Ledger
import Messages
import Signing

/// Transactions that wait for a block, in order of arrival. Bounded: a full mempool refuses, it never drops.
struct Mempool: Sendable {
  /// Transactions that may wait at once.
  static let capacity = 16_384

  private(set) var waiting: [SignedTransaction] = []
  private var known: Set<Digest> = []
  /// Those standing in a notarized block that is not final yet, by that block's view.
  private var inFlight: [Digest: View] = [:]

  enum Admission { case added, alreadyKnown, full }

  var count: Int { waiting.count }
  /// Whether something waits that no notarized block carries.
  var hasWaiting: Bool { waiting.count > inFlight.count }

  func contains(_ id: Digest) -> Bool { known.contains(id) }

  mutating func add(_ transaction: SignedTransaction) -> Admission {
    guard !known.contains(transaction.id) else { return .alreadyKnown }
    guard waiting.count < Self.capacity else { return .full }
    known.insert(transaction.id)
    waiting.append(transaction)
    return .added
  }

  mutating func notarized(_ block: Block) {
    for envelope in block.body.transactions where known.contains(envelope.digest) {
      inFlight[envelope.digest] = block.header.view
    }
  }

  /// Forgets what is final. What stood in notarized blocks up to this view and is not final waits again.
  mutating func finalized(_ segment: LedgerSegment) {
    guard let view = segment.blocks.last?.header.view, !waiting.isEmpty else { return }
    for block in segment.blocks {
      for envelope in block.body.transactions { known.remove(envelope.digest) }
    }
    waiting.removeAll { !known.contains($0.id) }
    inFlight = inFlight.filter { $0.value > view && known.contains($0.key) }
  }

  /// Forgets what can never stand on this state.
  mutating func purge(_ state: LedgerState) {
    waiting.removeAll { transaction in
      guard !state.isIncludable(transaction) else { return false }
      known.remove(transaction.id)
      inFlight[transaction.id] = nil
      return true
    }
  }

  /// Those no notarized block carries, at most `limit`, oldest first.
  func unplaced(limit: Int) -> [SignedTransaction] {
    Array(waiting.lazy.filter { inFlight[$0.id] == nil }.prefix(limit))
  }
}
