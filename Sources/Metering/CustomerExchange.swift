import Messages
import Signing

/// The customer's side of the commitment–reveal exchange (sla.md, "Joint record"), inside the enclave. It asks; the
/// operator's side answers. Every step can be asked again: nothing new is ever signed for an epoch.
///
///     closed ──commit──▶ committed ──reveal──▶ signed ──submit──▶ recorded, next epoch
///
/// It opens its receipts only when it holds the operator's commitment, and signs the record only when that is the one
/// that follows from both sides' receipts.
public struct CustomerExchange: Sendable {
  /// What to ask the edge now.
  public enum Ask: Hashable, Sendable {
    case commit(CommitmentExchange)
    case reveal(ReceiptReveal)
    case submit(RecordSubmission)
  }

  /// What to do after a step, in this order.
  public struct Step: Sendable {
    public var persist: EpochJournal
    /// A record that both sides have signed now.
    public var record: (JointRecord, SignedRecord)?
  }

  private enum Stage: Sendable {
    /// The next epoch is not closed.
    case idle
    case committing
    case revealing
    /// Both signatures exist; the operator may not have this side's yet.
    case submitting(EpochJournal)
  }

  private var book: ExchangeBook
  private var stage = Stage.idle
  public private(set) var refused: UInt64 = 0

  public init(parties: AccountParties, key: SigningKey, network: Digest) {
    book = ExchangeBook(side: .customer, parties: parties, key: key, network: network)
  }

  /// - Throws: when the journals do not belong together. The state is another's or damaged: stop.
  public init(
    parties: AccountParties, key: SigningKey, network: Digest, recovering journals: [EpochJournal]
  ) throws(ExchangeRefusal) {
    self.init(parties: parties, key: key, network: network)
    try book.recover(journals)
    // Whether the operator got the last record is not known: submitting it again is harmless.
    if let last = book.lastRecorded { stage = .submitting(last) } else { advance() }
  }

  public var parties: AccountParties { book.account.parties }
  public var nextToClose: EpochNumber { book.nextToClose }
  /// The last epoch whose record both sides signed.
  public var lastRecord: JointRecord? { book.account.last }
  public var lastSigned: SignedRecord? { book.lastRecorded.flatMap { book.signedRecord($0) } }
  /// Epochs whose record both sides signed: 0 up to here, without gaps.
  public var recordedEpochs: UInt64 { book.account.nextEpoch }
  /// The record of an epoch of this account as it was kept; nil unless both sides signed it.
  public func signedRecord(_ journal: EpochJournal) -> SignedRecord? { book.signedRecord(journal) }
  /// Whether nothing is under way.
  public var isIdle: Bool { if case .idle = stage { true } else { false } }

  public func previousReceipt(of point: MeteredPoint) -> Digest { book.previousReceipt(of: point) }

  /// Signs the receipts of an epoch that is over. Epochs are closed one by one, from 0.
  /// - Returns: what must be durable before anything is asked; nil if it is another epoch's turn.
  public mutating func close(_ epoch: EpochNumber, receipts: [SLAReceipt]) -> EpochJournal? {
    guard let journal = book.close(epoch, receipts: receipts) else { return nil }
    guard case .idle = stage else { return journal }
    advance()
    return book.pending.first { $0.epoch == epoch }
  }

  /// What to ask now, again and again until an answer is taken.
  public var ask: Ask? {
    switch stage {
    case .idle: return nil
    case .committing: return book.pending.first?.ownCommitment.map { .commit(CommitmentExchange(commitment: $0)) }
    case .revealing:
      return book.pending.first.map {
        .reveal(ReceiptReveal(activation: book.activation, epoch: $0.epoch, receipts: $0.ownReceipts))
      }
    case .submitting(let journal): return journal.ownRecord.map { .submit(RecordSubmission(record: $0)) }
    }
  }

  /// The operator's commitment came.
  public mutating func take(_ answer: CommitmentExchange) throws(ExchangeRefusal) -> Step {
    do throws(ExchangeRefusal) {
      guard case .committing = stage, var journal = book.pending.first else { throw .unexpected }
      try book.check(commitment: answer.commitment, epoch: journal.epoch)
      journal.otherCommitment = answer.commitment
      book.pending[0] = journal
      stage = .revealing
      return Step(persist: journal)
    } catch {
      refused += 1
      throw error
    }
  }

  /// The operator opened its receipts and signed the record.
  public mutating func take(_ answer: ReceiptsRevealed) throws(ExchangeRefusal) -> Step {
    do throws(ExchangeRefusal) {
      guard case .revealing = stage, var journal = book.pending.first else { throw .unexpected }
      let account = try book.account(after: journal, otherReceipts: answer.receipts)
      guard let record = account.last else { throw .unexpected }
      try book.check(record: answer.record, equals: record)
      journal.otherReceipts = answer.receipts
      journal.otherRecord = answer.record
      journal.ownRecord = Envelope(signing: record, with: book.key, network: book.network)
      guard let signed = book.signedRecord(journal) else { throw .unexpected }
      book.recorded(journal, account: account)
      stage = .submitting(journal)
      return Step(persist: journal, record: (record, signed))
    } catch {
      refused += 1
      throw error
    }
  }

  /// The operator has the record: the gate is open for two more epochs.
  /// - Returns: the epoch acknowledged, and what must be durable before the next is asked about.
  public mutating func acknowledged() -> (epoch: EpochNumber, persist: EpochJournal?)? {
    guard case .submitting(let journal) = stage else { return nil }
    stage = .idle
    advance()
    return (journal.epoch, book.pending.first)
  }

  /// Commits to the next closed epoch, if there is one and nothing is under way.
  private mutating func advance() {
    guard case .idle = stage, var journal = book.pending.first else { return }
    if journal.ownCommitment == nil {
      journal.ownCommitment = book.commitment(for: journal)
      book.pending[0] = journal
    }
    stage = journal.otherCommitment == nil ? .committing : .revealing
  }
}
