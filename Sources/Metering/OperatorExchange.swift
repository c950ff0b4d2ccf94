import Messages
import Signing

/// The operator's side of the commitment–reveal exchange, in the anchor edge's monitor: answers what the near enclave
/// asks, and answers the same again when it is asked again. See ``CustomerExchange`` for the steps; it collects the
/// receipts of the other serving edges in the same way.
public struct OperatorExchange: Sendable {
  /// What to do for a request, in this order: make durable, then answer.
  public struct Answer<Reply: Sendable>: Sendable {
    /// Nil when nothing changed: a retry.
    public var persist: EpochJournal?
    public var reply: Reply
  }

  private var book: ExchangeBook
  /// The account after the epoch under way, once its receipts are open on both sides.
  private var next: JointAccount?
  public private(set) var refused: UInt64 = 0

  public init(parties: AccountParties, key: SigningKey, network: Digest) {
    book = ExchangeBook(side: .networkOperator, parties: parties, key: key, network: network)
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
    if let journal = book.pending.first, journal.ownRecord != nil, let other = journal.otherReceipts {
      next = try book.account(after: journal, otherReceipts: other)
    }
  }

  public var parties: AccountParties { book.parties }
  public var nextToClose: EpochNumber { book.nextToClose }
  /// The last epoch with a record, signed by both or made by the ledger.
  public var lastRecord: JointRecord? { book.account.last }
  /// The last record that both sides signed.
  public var lastSigned: SignedRecord? { book.lastSigned }
  /// Epochs that have their record: 0 up to here, without gaps.
  public var recordedEpochs: UInt64 { book.account.nextEpoch }
  /// The record of an epoch of this account as it was kept; nil unless both sides signed it.
  public func signedRecord(_ journal: EpochJournal) -> SignedRecord? { book.signedRecord(journal) }

  public func previousReceipt(of point: MeteredPoint) -> Digest { book.previousReceipt(of: point) }

  /// An amendment or a handover that is FINAL on the ledger.
  /// - Returns: false for one that does not fit, or would change what is recorded.
  public mutating func apply(_ update: BookingUpdate) -> Bool { book.apply(update) }

  // MARK: Receipts

  /// Signs the receipts of an epoch that is over: of the points at which this edge still stands then. Epochs are closed
  /// one by one, from 0.
  /// - Returns: what must be durable before anything is answered; nil if it is another epoch's turn.
  public mutating func close(_ epoch: EpochNumber, receipts: [SLAReceipt]) -> EpochJournal? {
    book.close(epoch, receipts: receipts)
  }

  /// Epochs whose receipts of other edges are being collected, ascending. The enclave is answered `notYet` meanwhile.
  public var collecting: [EpochNumber] { book.pending.filter(\.isCollecting).map(\.epoch) }

  /// Whose receipts of an epoch have not come.
  public func awaited(in epoch: EpochNumber) -> [PublicKey] { book.awaited(in: epoch) }

  /// Receipts that another edge signed. When the last has come the epoch is complete.
  /// - Returns: what must be durable before anything more is answered; nil when nothing was new.
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
  /// - Returns: what must be durable before anything more is answered.
  public mutating func stopCollecting(_ epoch: EpochNumber) -> EpochJournal? {
    book.stopCollecting(epoch)
    return book.pending.first { $0.epoch == epoch }
  }

  // MARK: The exchange

  /// The enclave commits; this side's commitment is the answer.
  public mutating func answer(_ request: CommitmentExchange) throws(ExchangeRefusal) -> Answer<CommitmentExchange> {
    do throws(ExchangeRefusal) {
      guard let theirs = try? request.commitment.decode(EpochCommitment.self) else { throw .wrongStatement }
      // Before anything is waited for: a stranger must not take the enclave's place.
      guard book.isByOther(request.commitment) else { throw .wrongSigner }
      if let last = book.lastRecorded, theirs.epoch == last.epoch { return try retry(request.commitment, last) }
      guard theirs.epoch >= book.account.nextEpoch else { throw .alreadyRecorded }
      guard let waiting = book.pending.first, waiting.epoch == theirs.epoch, !waiting.isCollecting else {
        throw .notYet
      }
      try book.check(commitment: request.commitment, epoch: theirs.epoch)
      guard let own = book.commit(), var journal = book.pending.first else { throw .notYet }
      if let held = journal.otherCommitment {
        guard held == request.commitment else { throw .contradictory }
        return Answer(persist: nil, reply: CommitmentExchange(commitment: own))
      }
      journal.otherCommitment = request.commitment
      book.pending[0] = journal
      return Answer(persist: journal, reply: CommitmentExchange(commitment: own))
    } catch {
      if error != .notYet { refused += 1 }
      throw error
    }
  }

  /// A retry of the epoch recorded last: the same answer again.
  private func retry(_ commitment: Envelope, _ last: EpochJournal) throws(ExchangeRefusal) -> Answer<CommitmentExchange>
  {
    guard commitment == last.otherCommitment, let own = last.ownCommitment else { throw .contradictory }
    return Answer(persist: nil, reply: CommitmentExchange(commitment: own))
  }

  /// The enclave opens its receipts; this side opens its own and signs the record that follows.
  public mutating func answer(_ request: ReceiptReveal) throws(ExchangeRefusal) -> Answer<ReceiptsRevealed> {
    do throws(ExchangeRefusal) {
      guard request.activation == book.activation else { throw .wrongStatement }
      if let last = book.lastRecorded, request.epoch == last.epoch { return try retry(request.receipts, last) }
      guard request.epoch >= book.account.nextEpoch else { throw .alreadyRecorded }
      guard var journal = book.pending.first, journal.epoch == request.epoch, journal.otherCommitment != nil else {
        throw .notYet
      }
      if journal.ownRecord != nil { return try retry(request.receipts, journal) }
      let account = try book.account(after: journal, otherReceipts: request.receipts)
      guard let record = account.last else { throw .unexpected }
      let signed = Envelope(signing: record, with: book.key, network: book.network)
      journal.otherReceipts = request.receipts
      journal.ownRecord = signed
      book.pending[0] = journal
      next = account
      return Answer(persist: journal, reply: ReceiptsRevealed(receipts: journal.ownReceipts, record: signed))
    } catch {
      if error != .notYet { refused += 1 }
      throw error
    }
  }

  private func retry(_ receipts: ReceiptSet, _ journal: EpochJournal) throws(ExchangeRefusal) -> Answer<
    ReceiptsRevealed
  > {
    guard receipts == journal.otherReceipts, let record = journal.ownRecord else {
      throw .receipts(.customerReceipts(.notAsCommitted))
    }
    return Answer(persist: nil, reply: ReceiptsRevealed(receipts: journal.ownReceipts, record: record))
  }

  /// The enclave's signature over the record.
  /// - Returns: what to make durable before acknowledging, and the record that both have signed now; nothing for a
  ///   retry.
  public mutating func take(
    _ request: RecordSubmission
  ) throws(ExchangeRefusal) -> (persist: EpochJournal, record: JointRecord, signed: SignedRecord)? {
    do throws(ExchangeRefusal) {
      guard let record = try? request.record.decode(JointRecord.self) else { throw .wrongStatement }
      guard record.activation == book.activation else { throw .wrongStatement }
      if let last = book.account.last, record.epoch <= last.epoch {
        guard record == last else { throw .alreadyRecorded }
        try book.check(record: request.record, equals: last)
        return nil
      }
      guard var journal = book.pending.first, let next, let own = next.last, journal.ownRecord != nil else {
        throw .unexpected
      }
      try book.check(record: request.record, equals: own)
      journal.otherRecord = request.record
      guard let signed = book.signedRecord(journal) else { throw .unexpected }
      book.recorded(journal, account: next)
      self.next = nil
      return (journal, own, signed)
    } catch {
      refused += 1
      throw error
    }
  }

  // MARK: The ledger

  /// What the controller demands or answers a demand with: of the epoch exchanged now, or of the one recorded last. For
  /// an older one recover an exchange from its journals up to that epoch and ask that.
  /// - Returns: with what must be durable before the material leaves.
  public mutating func material(of epoch: EpochNumber) -> (material: EpochMaterial, persist: EpochJournal?) {
    let material = book.material(of: epoch)
    return (material, book.pending.first { $0.epoch == epoch })
  }

  /// The ledger opened both sides' receipts of an epoch: goes on with the next.
  /// - Returns: what must be durable; nil when that epoch has its record here already.
  public mutating func settle(_ settling: EpochSettling) throws(ExchangeRefusal) -> EpochJournal? {
    do throws(ExchangeRefusal) {
      let settled = try book.settle(settling)
      if settled != nil { next = nil }
      return settled
    } catch {
      if error != .notYet { refused += 1 }
      throw error
    }
  }
}
