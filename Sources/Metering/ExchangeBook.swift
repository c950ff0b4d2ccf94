import Messages
import Signing
import Wire

/// What both anchors' machines have in common: signing, collecting, recovering, and the checks of what the other side
/// says.
struct ExchangeBook: Sendable {
  let side: AccountingSide
  let key: SigningKey
  let network: Digest
  private(set) var account: JointAccount
  /// Closed and not recorded, ascending; the first is ``JointAccount/nextEpoch``.
  var pending: [EpochJournal] = []
  /// The last epoch recorded, for retries, …
  private(set) var lastRecorded: EpochJournal?
  /// … what its record was made from, …
  private var beforeLast: (signed: SignedRecord?, state: AccountState)?
  /// … and the last record that both sides signed: one that the ledger opened has no signatures.
  private(set) var lastSigned: SignedRecord?
  private var own: ReceiptBook

  init(side: AccountingSide, parties: AccountParties, key: SigningKey, network: Digest) {
    self.side = side
    self.key = key
    self.network = network
    account = JointAccount(parties: parties)
    own = ReceiptBook(parties: parties, key: key, network: network, remembering: 0)
  }

  var activation: ActivationID { account.parties.activation }
  var parties: AccountParties { account.parties }
  /// The epoch that is closed next.
  var nextToClose: EpochNumber { own.nextToClose }

  func previousReceipt(of point: MeteredPoint) -> Digest { own.previousReceipt(of: point) }

  mutating func apply(_ update: BookingUpdate) -> Bool {
    var account = account
    // What this side has committed to cannot be signed by others any more. The other side's receipts are not its own: a
    // customer that hears late of a handover goes on all the same.
    guard account.apply(update, committed: side == .networkOperator ? committed : 0) else { return false }
    self.account = account
    own.follow(account.parties)
    return true
  }

  /// Epochs below have this side's commitment.
  private var committed: EpochNumber {
    account.nextEpoch.addingSaturating(pending.first?.ownCommitment == nil ? 0 : 1)
  }

  // MARK: Receipts of this side

  /// - Returns: nil unless the epochs are closed one by one.
  mutating func close(_ epoch: EpochNumber, receipts: [SLAReceipt]) -> EpochJournal? {
    guard var journal = own.close(epoch, receipts: receipts) else { return nil }
    journal.isCollecting = !othersSigning(in: epoch).isEmpty
    pending.append(journal)
    return journal
  }

  /// Everyone else of this side who owes receipts of an epoch.
  private func othersSigning(in epoch: EpochNumber) -> [PublicKey] {
    parties.signers(of: side, in: epoch).filter { $0 != key.publicKey }
  }

  /// Who has not handed over all of its receipts of a pending epoch yet.
  func awaited(in epoch: EpochNumber) -> [PublicKey] {
    guard let journal = pending.first(where: { $0.epoch == epoch }), journal.isCollecting else { return [] }
    let held = journal.ownReceipts.receipts.compactMap { try? $0.decode(SLAReceipt.self).meteredPoint }
    return othersSigning(in: epoch).filter { signer in
      parties.points(of: signer, in: epoch).contains { !held.contains($0) }
    }
  }

  /// Adds receipts that another of this side signed. What does not belong is refused as a whole.
  /// - Returns: whether anything was new.
  mutating func collect(_ epoch: EpochNumber, _ receipts: ReceiptSet) throws(ExchangeRefusal) -> Bool {
    guard let index = pending.firstIndex(where: { $0.epoch == epoch }), pending[index].isCollecting else {
      return false
    }
    let order = side.points(parties.ends)
    var held: [(point: MeteredPoint, envelope: Envelope)] = []
    for envelope in pending[index].ownReceipts.receipts + receipts.receipts {
      guard let receipt = try? envelope.decode(SLAReceipt.self), receipt.activation == activation,
        receipt.epoch == epoch, order.contains(receipt.meteredPoint)
      else { throw .wrongStatement }
      guard let signer = envelope.signer, parties.signer(of: receipt.meteredPoint, in: epoch) == signer else {
        throw .wrongSigner
      }
      if let known = held.first(where: { $0.point == receipt.meteredPoint }) {
        guard known.envelope == envelope else { throw .contradictory }
      } else {
        held.append((receipt.meteredPoint, envelope))
      }
    }
    let sorted = order.compactMap { point in held.first { $0.point == point }?.envelope }
    guard sorted.count > pending[index].ownReceipts.receipts.count else { return false }
    pending[index].ownReceipts = ReceiptSet(sorted)
    return true
  }

  /// The set is as complete as it gets.
  mutating func stopCollecting(_ epoch: EpochNumber) {
    guard let index = pending.firstIndex(where: { $0.epoch == epoch }) else { return }
    pending[index].isCollecting = false
  }

  /// Receipts that do not follow their point's last are left out, and those of points at which, as was heard only after
  /// the epoch was closed, somebody else stood: the other side would refuse the whole set for them, and who owes them
  /// is named as missing instead.
  private func admissible(_ receipts: ReceiptSet) -> ReceiptSet {
    let (parties, chain) = (parties, account.state.chain)
    return ReceiptSet(
      receipts.receipts.filter { envelope in
        guard let receipt = try? envelope.decode(SLAReceipt.self) else { return false }
        return (try? parties.check(receipt, by: envelope.signer, after: chain)) != nil
      })
  }

  // MARK: The exchange

  /// This side's commitment to the epoch exchanged now, made once.
  /// - Returns: nil while its receipts are being collected.
  mutating func commit() -> Envelope? {
    guard var journal = pending.first, journal.epoch == account.nextEpoch, !journal.isCollecting else { return nil }
    if let made = journal.ownCommitment { return made }
    journal.ownReceipts = admissible(journal.ownReceipts)
    let commitment = EpochCommitment(
      activation: activation, epoch: journal.epoch, side: side, receipts: journal.ownReceipts.digest,
      previousRecord: account.lastDigest)
    let envelope = Envelope(signing: commitment, with: key, network: network)
    journal.ownCommitment = envelope
    pending[0] = journal
    return envelope
  }

  func isByOther(_ envelope: Envelope) -> Bool {
    envelope.signer != nil && envelope.signer == parties.anchor(of: side.other)
  }

  /// The other side's commitment to the epoch that is exchanged now, checked.
  func check(commitment envelope: Envelope, epoch: EpochNumber) throws(ExchangeRefusal) {
    guard isByOther(envelope) else { throw .wrongSigner }
    guard let commitment = try? envelope.decode(EpochCommitment.self), commitment.activation == activation,
      commitment.epoch == epoch, commitment.side == side.other
    else { throw .wrongStatement }
    guard commitment.previousRecord == account.lastDigest else { throw .wrongPrevious }
  }

  /// The account after the journal's epoch with the other side's receipts, which must be what it committed to.
  func account(after journal: EpochJournal, otherReceipts: ReceiptSet) throws(ExchangeRefusal) -> JointAccount {
    guard let commitment = try? journal.otherCommitment?.decode(EpochCommitment.self) else { throw .unexpected }
    guard commitment.receipts == otherReceipts.digest else {
      throw .receipts(side == .customer ? .operatorReceipts(.notAsCommitted) : .customerReceipts(.notAsCommitted))
    }
    return try account(opening: journal, otherReceipts: otherReceipts)
  }

  private func account(
    opening journal: EpochJournal, otherReceipts: ReceiptSet
  ) throws(ExchangeRefusal) -> JointAccount {
    let own = journal.ownReceipts
    do throws(AccountError) {
      return try account.appending(
        epoch: journal.epoch, customer: side == .customer ? own : otherReceipts,
        networkOperator: side == .customer ? otherReceipts : own)
    } catch {
      throw .receipts(error)
    }
  }

  /// The other side's record must be, byte for byte, the one that follows.
  func check(record envelope: Envelope, equals record: JointRecord) throws(ExchangeRefusal) {
    guard isByOther(envelope) else { throw .wrongSigner }
    guard envelope.kind == JointRecord.kind, envelope.version == JointRecord.version else { throw .wrongStatement }
    guard envelope.payload == record.encoded else { throw .recordDiffers }
  }

  mutating func recorded(_ journal: EpochJournal, account: JointAccount) {
    beforeLast = lastRecorded.map { (signedRecord($0), self.account.state) }
    // What the ledger changed while the record was under way holds for the epochs after it.
    let parties = self.account.parties
    self.account = account
    self.account.follow(parties)
    lastRecorded = journal
    if let signed = signedRecord(journal) { lastSigned = signed }
    if pending.first?.epoch == journal.epoch { pending.removeFirst() }
  }

  func signedRecord(_ journal: EpochJournal) -> SignedRecord? {
    guard let own = journal.ownRecord, let other = journal.otherRecord else { return nil }
    return side == .customer
      ? SignedRecord(byEnclave: own, byEdge: other) : SignedRecord(byEnclave: other, byEdge: own)
  }

  // MARK: The ledger

  /// The record that both signed last and the state after it; nil before the first epoch, and where the ledger made
  /// the last record and so has both itself.
  private var base: AccountBase? {
    guard let journal = lastRecorded, let signed = signedRecord(journal) else { return nil }
    return AccountBase(record: signed, state: account.state.encoded)
  }

  /// The same for the epoch that was recorded last.
  private var baseOfLast: AccountBase? {
    guard let beforeLast, let signed = beforeLast.signed else { return nil }
    return AccountBase(record: signed, state: beforeLast.state.encoded)
  }

  /// What this side demands or answers a demand with: of the epoch exchanged now, or of the one recorded last.
  /// - Returns: the commitment is nil while the receipts are not closed or still being collected.
  mutating func material(of epoch: EpochNumber) -> EpochMaterial {
    if let last = lastRecorded, last.epoch == epoch { return material(last, base: baseOfLast) }
    if epoch == account.nextEpoch { _ = commit() }
    guard let journal = pending.first(where: { $0.epoch == epoch }) else {
      return EpochMaterial(
        activation: activation, epoch: epoch, base: nil, commitment: nil, other: nil, receipts: ReceiptSet([]))
    }
    return material(journal, base: epoch == account.nextEpoch ? base : nil)
  }

  private func material(_ journal: EpochJournal, base: AccountBase?) -> EpochMaterial {
    EpochMaterial(
      activation: activation, epoch: journal.epoch, base: base, commitment: journal.ownCommitment,
      other: journal.otherCommitment, receipts: journal.isCollecting ? ReceiptSet([]) : journal.ownReceipts,
      opened: journal.otherReceipts ?? ReceiptSet([]))
  }

  /// The ledger opened both sides' receipts of an epoch, so both have its record without signing it.
  /// - Returns: what must be durable; nil when the epoch has its record here already.
  mutating func settle(_ settling: EpochSettling) throws(ExchangeRefusal) -> EpochJournal? {
    guard settling.activation == activation else { throw .wrongStatement }
    guard settling.epoch >= account.nextEpoch else { return nil }
    guard var journal = pending.first, journal.epoch == settling.epoch else { throw .notYet }
    let (own, other) =
      side == .customer
      ? (settling.customer, settling.networkOperator) : (settling.networkOperator, settling.customer)
    // What was opened for this side is what it committed to; anything else was not its doing.
    guard own == journal.ownReceipts else { throw .contradictory }
    let account = try account(opening: journal, otherReceipts: other)
    journal.otherReceipts = other
    journal.isSettled = true
    recorded(journal, account: account)
    return journal
  }

  // MARK: After a crash

  /// Takes back what was durable, in order of epochs.
  /// - Throws: when the journals do not follow from one another: another directory, or a store that lost writes.
  mutating func recover(_ journals: [EpochJournal]) throws(ExchangeRefusal) {
    for journal in journals {
      try own.recover(journal)
      if journal.isRecorded, pending.isEmpty, let other = journal.otherReceipts {
        // What the ledger opened is held to no commitment: the other side's may never have come here.
        let account =
          journal.isSettled
          ? try account(opening: journal, otherReceipts: other) : try account(after: journal, otherReceipts: other)
        recorded(journal, account: account)
      } else {
        pending.append(journal)
      }
    }
  }
}
