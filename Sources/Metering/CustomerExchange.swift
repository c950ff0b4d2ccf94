import Messages
import Signing

/// The customer's side of the commitment–reveal exchange (sla.md, "Joint record"), inside the near enclave. It asks;
/// the operator's anchor edge answers. Every step can be asked again: nothing new is ever signed for an epoch.
///
///     closed ──collect──▶ complete ──commit──▶ committed ──reveal──▶ signed ──submit──▶ recorded, next epoch
///
/// Where another enclave stands at the far end, its receipts are collected first; whose has not come in time is
/// missing. It opens its receipts only when it holds the operator's commitment, and signs the record only when that is
/// the one that follows from both sides' receipts.
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
    /// The next epoch is not closed, or its receipts are being collected.
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

  /// - Parameters:
  ///   - parties: with all amendments and handovers that were taken before.
  ///   - journals: in order of epochs.
  /// - Throws: when the journals do not belong together. The state is another's or damaged: stop.
  public init(
    parties: AccountParties, key: SigningKey, network: Digest, recovering journals: [EpochJournal]
  ) throws(ExchangeRefusal) {
    self.init(parties: parties, key: key, network: network)
    try book.recover(journals)
    // Whether the operator got the last record is not known: submitting it again is harmless.
    if let last = book.lastRecorded, !last.isSettled { stage = .submitting(last) } else { advance() }
  }

  public var parties: AccountParties { book.parties }
  public var nextToClose: EpochNumber { book.nextToClose }
  /// The last epoch with a record, signed by both or made by the ledger.
  public var lastRecord: JointRecord? { book.account.last }
  /// The last epoch whose record the operator is known to have; after a crash the last one's acknowledgement may have
  /// been lost with it.
  public var lastAcknowledged: EpochNumber? {
    guard case .submitting(let journal) = stage else { return lastRecord?.epoch }
    return journal.epoch == 0 ? nil : journal.epoch - 1
  }
  /// The last record that both sides signed.
  public var lastSigned: SignedRecord? { book.lastSigned }
  /// Epochs that have their record: 0 up to here, without gaps.
  public var recordedEpochs: UInt64 { book.account.nextEpoch }
  /// The record of an epoch of this account as it was kept; nil unless both sides signed it.
  public func signedRecord(_ journal: EpochJournal) -> SignedRecord? { book.signedRecord(journal) }
  /// Whether nothing is under way.
  public var isIdle: Bool { if case .idle = stage { book.pending.isEmpty } else { false } }

  public func previousReceipt(of point: MeteredPoint) -> Digest { book.previousReceipt(of: point) }

  /// An amendment or a handover that is FINAL on the ledger.
  /// - Returns: false for one that does not fit, or would change what is recorded.
  public mutating func apply(_ update: BookingUpdate) -> Bool { book.apply(update) }

  // MARK: Receipts

  /// Signs the receipts of an epoch that is over. Epochs are closed one by one, from 0.
  /// - Returns: what must be durable before anything is asked; nil if it is another epoch's turn.
  public mutating func close(_ epoch: EpochNumber, receipts: [SLAReceipt]) -> EpochJournal? {
    guard book.close(epoch, receipts: receipts) != nil else { return nil }
    advance()
    return book.pending.first { $0.epoch == epoch }
  }

  /// Epochs whose receipts of others on this side are being collected, ascending.
  public var collecting: [EpochNumber] { book.pending.filter(\.isCollecting).map(\.epoch) }

  /// Whose receipts of an epoch have not come.
  public func awaited(in epoch: EpochNumber) -> [PublicKey] { book.awaited(in: epoch) }

  /// Receipts of this side that another signed. When the last has come the epoch is complete.
  /// - Returns: what must be durable before anything more is asked; nil when nothing was new.
  public mutating func collect(_ epoch: EpochNumber, _ receipts: ReceiptSet) throws(ExchangeRefusal) -> EpochJournal? {
    do throws(ExchangeRefusal) {
      guard try book.collect(epoch, receipts) else { return nil }
      if book.awaited(in: epoch).isEmpty { return stopCollecting(epoch) }
      return book.pending.first { $0.epoch == epoch }
    } catch {
      refused += 1
      throw error
    }
  }

  /// Patience is over (``MeteringTerms/collectionPatience``): who has not answered is missing.
  /// - Returns: what must be durable before anything more is asked.
  public mutating func stopCollecting(_ epoch: EpochNumber) -> EpochJournal? {
    book.stopCollecting(epoch)
    advance()
    return book.pending.first { $0.epoch == epoch }
  }

  // MARK: The exchange

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

  /// Commits to the next closed epoch, if there is one whose receipts are complete and nothing is under way.
  private mutating func advance() {
    guard case .idle = stage, book.commit() != nil, let journal = book.pending.first else { return }
    stage = journal.otherCommitment == nil ? .committing : .revealing
  }

  // MARK: The ledger

  /// What the customer demands or answers a demand with: of the epoch exchanged now, or of the one recorded last. For
  /// an older one recover an exchange from its journals up to that epoch and ask that.
  /// - Returns: with what must be durable before the material leaves.
  public mutating func material(of epoch: EpochNumber) -> (material: EpochMaterial, persist: EpochJournal?) {
    let material = book.material(of: epoch)
    return (material, book.pending.first { $0.epoch == epoch })
  }

  /// The ledger opened both sides' receipts of an epoch: goes on with the next.
  /// - Returns: what must be durable, in this order; nothing when that epoch has its record here already.
  public mutating func settle(_ settling: EpochSettling) throws(ExchangeRefusal) -> [EpochJournal] {
    let settled: EpochJournal?
    do throws(ExchangeRefusal) {
      settled = try book.settle(settling)
    } catch {
      if error != .notYet { refused += 1 }
      throw error
    }
    if case .submitting(let journal) = stage, journal.epoch > settling.epoch { return [] }
    stage = .idle
    advance()
    return [settled, book.pending.first].compactMap { $0 }
  }
}
