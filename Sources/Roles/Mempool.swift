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

  /// Where the next ``unplaced(limit:)`` begins.
  private var cursor = 0

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

  /// Forgets what is final and what expired: a member that never builds a block has no other occasion. What stood in
  /// notarized blocks up to this view and is not final waits again.
  mutating func finalized(_ segment: LedgerSegment) {
    guard let last = segment.blocks.last?.header, !waiting.isEmpty else { return }
    for block in segment.blocks {
      for envelope in block.body.transactions { known.remove(envelope.digest) }
    }
    waiting.removeAll { transaction in
      if transaction.transaction.expiry <= last.height { known.remove(transaction.id) }
      return !known.contains(transaction.id)
    }
    inFlight = inFlight.filter { $0.value > last.view && known.contains($0.key) }
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

  /// Those no notarized block carries, at most `limit`, in order of arrival from where the last call ended: some that
  /// no block takes do not keep the others from being passed on.
  mutating func unplaced(limit: Int) -> [SignedTransaction] {
    if cursor >= waiting.count { cursor = 0 }
    var found: [SignedTransaction] = []
    for _ in waiting.indices {
      guard found.count < limit else { break }
      let transaction = waiting[cursor]
      if inFlight[transaction.id] == nil { found.append(transaction) }
      cursor = (cursor + 1) % waiting.count
    }
    return found
  }
}
