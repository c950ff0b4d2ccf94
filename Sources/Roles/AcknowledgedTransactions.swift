import Effects
import Ledger
import Messages
import Signing
import Wire

/// The promises that a member gave with its answers to submissions, and what they are about. Kept, durable, until the
/// transaction is final or can never be included: a restart that forgot one would make an honest leader convict itself.
struct AcknowledgedTransactions: Sendable {
  /// Records from the oldest open promise to the newest, at most: older ones are written again behind the newest, so
  /// that one that stays open does not keep all that came after it.
  static let maximumSpan: UInt64 = 65_536
  /// Final blocks between two looks for promises that can no longer be kept or broken.
  static let sweepInterval: Height = 16

  struct Promise: Sendable {
    let number: UInt64
    let acknowledgement: SignedMessage<SubmissionAcknowledgement>
    let transaction: SignedTransaction
  }

  private let stream: UInt16
  private var open: [Digest: Promise] = [:]
  private var next: UInt64 = 0
  /// Every record below this one is pruned.
  private var prunedBelow: UInt64 = 0
  private var sweptAt: Height = 0

  init(stream: UInt16) { self.stream = stream }

  var count: Int { open.count }

  subscript(transaction: Digest) -> SignedMessage<SubmissionAcknowledgement>? { open[transaction]?.acknowledgement }

  /// In the order in which they were given.
  var transactions: [SignedTransaction] { open.values.sorted { $0.number < $1.number }.map(\.transaction) }

  // MARK: Giving

  /// To be carried out before the acknowledgement is sent.
  mutating func give(
    _ acknowledgement: SignedMessage<SubmissionAcknowledgement>, of transaction: SignedTransaction
  ) -> [Effect] {
    let promise = Promise(number: next, acknowledgement: acknowledgement, transaction: transaction)
    next += 1
    open[transaction.id] = promise
    return [put(promise)] + renewOldest()
  }

  private func put(_ promise: Promise) -> Effect {
    let record = WitnessedAcknowledgement(
      acknowledgement: promise.acknowledgement, transaction: promise.transaction)
    return .persist(.put(stream: stream, key: promise.number, bytes: record.encoded))
  }

  private mutating func renewOldest() -> [Effect] {
    guard next - prunedBelow > Self.maximumSpan else { return [] }
    var effects: [Effect] = []
    for old in open.values.sorted(by: { $0.number < $1.number }).prefix(while: { next - $0.number > Self.maximumSpan })
    {
      let renewed = Promise(number: next, acknowledgement: old.acknowledgement, transaction: old.transaction)
      next += 1
      open[old.transaction.id] = renewed
      effects.append(put(renewed))
    }
    return effects + prune()
  }

  // MARK: Keeping

  /// What is final, or was overtaken, binds no longer.
  mutating func finalized(_ segment: LedgerSegment, _ state: LedgerState) -> [Effect] {
    guard !open.isEmpty else { return [] }
    for block in segment.blocks {
      for envelope in block.body.transactions { open[envelope.digest] = nil }
    }
    if state.height >= sweptAt + Self.sweepInterval {
      sweptAt = state.height
      open = open.filter { state.isIncludable($0.value.transaction) }
    }
    return prune()
  }

  private mutating func prune() -> [Effect] {
    let oldest = open.values.map(\.number).min() ?? next
    guard oldest > prunedBelow else { return [] }
    prunedBelow = oldest
    return [.persist(.prune(stream: stream, below: oldest))]
  }

  // MARK: Recovery

  mutating func recover(_ record: StoredRecord) throws(WireError) {
    let kept = try WitnessedAcknowledgement(decoding: record.bytes)
    if next == 0 { prunedBelow = record.key }
    next = max(next, record.key + 1)
    open[kept.transaction.id] = Promise(
      number: record.key, acknowledgement: kept.acknowledgement, transaction: kept.transaction)
  }

  /// After all records are read: those that still bind, in order.
  mutating func recovered(on state: LedgerState) -> [SignedTransaction] {
    open = open.filter { state.isIncludable($0.value.transaction) }
    return transactions
  }
}
