import Messages
import Signing
import Wire

/// One epoch's exchange as one side holds it durably: everything signed stands here before it leaves, else a crash
/// would make an honest party contradict itself. Replaced as the exchange goes on; complete once both records are in.
public struct EpochJournal: Hashable, Sendable, WireCodable {
  public let epoch: EpochNumber
  public let ownReceipts: ReceiptSet
  public internal(set) var ownCommitment: Envelope?
  public internal(set) var otherCommitment: Envelope?
  public internal(set) var otherReceipts: ReceiptSet?
  public internal(set) var ownRecord: Envelope?
  public internal(set) var otherRecord: Envelope?

  init(epoch: EpochNumber, ownReceipts: ReceiptSet) {
    self.epoch = epoch
    self.ownReceipts = ownReceipts
  }

  public var isRecorded: Bool { ownRecord != nil && otherRecord != nil }

  public func encode(to writer: inout CBORWriter) {
    writer.array(7)
    writer.write(epoch)
    writer.write(ownReceipts)
    writer.write(optional: ownCommitment)
    writer.write(optional: otherCommitment)
    writer.write(optional: otherReceipts)
    writer.write(optional: ownRecord)
    writer.write(optional: otherRecord)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(7) { (reader) throws(WireError) in
      var journal = EpochJournal(epoch: try reader.uint(), ownReceipts: try reader.value())
      journal.ownCommitment = try reader.optional()
      journal.otherCommitment = try reader.optional()
      journal.otherReceipts = try reader.optional()
      journal.ownRecord = try reader.optional()
      journal.otherRecord = try reader.optional()
      return journal
    }
  }
}

/// Why something the other side sent is refused. It is counted and treated as if it had not come (epoch rule 8).
public enum ExchangeRefusal: Error, Equatable, Sendable {
  /// The epoch is still open here, or an earlier one is not recorded yet: ask again.
  case notYet
  /// Of an epoch that is recorded already: a replay, or a retry that came too late to matter.
  case alreadyRecorded
  /// Signed by a key that does not account for the other side.
  case wrongSigner
  /// Of another activation, epoch or side.
  case wrongStatement
  /// Does not follow the last record.
  case wrongPrevious
  /// Another statement for the same epoch by the same side is held: two signed statements convict.
  case contradictory
  /// Opened receipts that are not what was committed to, or no receipts of that side.
  case receipts(AccountError)
  /// A record other than the one that follows from the receipts.
  case recordDiffers
  /// Nothing of the kind was asked for.
  case unexpected
}

/// What both sides' machines have in common: signing, recovering, and the checks of what the other side says.
struct ExchangeBook: Sendable {
  let side: AccountingSide
  let key: SigningKey
  let network: Digest
  private(set) var account: JointAccount
  /// Closed and not recorded, ascending; the first is ``JointAccount/nextEpoch``.
  var pending: [EpochJournal] = []
  /// The last epoch recorded, for retries.
  private(set) var lastRecorded: EpochJournal?
  private var ownChain = ReceiptChain()

  init(side: AccountingSide, parties: AccountParties, key: SigningKey, network: Digest) {
    self.side = side
    self.key = key
    self.network = network
    account = JointAccount(parties: parties)
  }

  var activation: ActivationID { account.parties.activation }
  /// The epoch that is closed next.
  var nextToClose: EpochNumber { account.nextEpoch + EpochNumber(pending.count) }

  func previousReceipt(of point: MeteredPoint) -> Digest { ownChain[point] }

  /// - Returns: nil unless the epochs are closed one by one.
  mutating func close(_ epoch: EpochNumber, receipts: [SLAReceipt]) -> EpochJournal? {
    guard epoch == nextToClose else { return nil }
    ownChain.advance(receipts)
    let set = ReceiptSet(receipts.map { Envelope(signing: $0, with: key, network: network) })
    let journal = EpochJournal(epoch: epoch, ownReceipts: set)
    pending.append(journal)
    return journal
  }

  func commitment(for journal: EpochJournal) -> Envelope {
    let commitment = EpochCommitment(
      activation: activation, epoch: journal.epoch, side: side, receipts: journal.ownReceipts.digest,
      previousRecord: account.lastDigest)
    return Envelope(signing: commitment, with: key, network: network)
  }

  /// The other side's commitment to the epoch that is exchanged now, checked.
  func check(commitment envelope: Envelope, epoch: EpochNumber) throws(ExchangeRefusal) {
    guard let signer = envelope.signer, account.parties.signers(of: side.other).contains(signer) else {
      throw .wrongSigner
    }
    guard let commitment = try? envelope.decode(EpochCommitment.self), commitment.activation == activation,
      commitment.epoch == epoch, commitment.side == side.other
    else { throw .wrongStatement }
    guard commitment.previousRecord == account.lastDigest else { throw .wrongPrevious }
  }

  /// The account after the journal's epoch with the other side's receipts, which must be what it committed to.
  func account(after journal: EpochJournal, otherReceipts: ReceiptSet) throws(ExchangeRefusal) -> JointAccount {
    guard let commitment = try? journal.otherCommitment?.decode(EpochCommitment.self) else { throw .unexpected }
    let own = journal.ownReceipts
    do throws(AccountError) {
      guard commitment.receipts == otherReceipts.digest else {
        throw side == .customer ? .operatorReceipts(.notAsCommitted) : .customerReceipts(.notAsCommitted)
      }
      return try account.appending(
        epoch: journal.epoch, customer: side == .customer ? own : otherReceipts,
        networkOperator: side == .customer ? otherReceipts : own)
    } catch {
      throw .receipts(error)
    }
  }

  /// The other side's record must be, byte for byte, the one that follows.
  func check(record envelope: Envelope, equals record: JointRecord) throws(ExchangeRefusal) {
    guard let signer = envelope.signer, account.parties.signers(of: side.other).contains(signer) else {
      throw .wrongSigner
    }
    guard envelope.kind == JointRecord.kind, envelope.version == JointRecord.version else { throw .wrongStatement }
    guard envelope.payload == record.encoded else { throw .recordDiffers }
  }

  mutating func recorded(_ journal: EpochJournal, account: JointAccount) {
    self.account = account
    lastRecorded = journal
    if pending.first?.epoch == journal.epoch { pending.removeFirst() }
  }

  func signedRecord(_ journal: EpochJournal) -> SignedRecord? {
    guard let own = journal.ownRecord, let other = journal.otherRecord else { return nil }
    return side == .customer
      ? SignedRecord(byEnclave: own, byEdge: other) : SignedRecord(byEnclave: other, byEdge: own)
  }

  /// Takes back what was durable, in order of epochs.
  /// - Throws: when the journals do not follow from one another: another directory, or a store that lost writes.
  mutating func recover(_ journals: [EpochJournal]) throws(ExchangeRefusal) {
    for journal in journals {
      guard journal.epoch == nextToClose else { throw .wrongStatement }
      let own: [SLAReceipt]
      do {
        own = try journal.ownReceipts.receipts.map { try $0.decode(SLAReceipt.self) }
      } catch {
        throw .wrongStatement
      }
      ownChain.advance(own)
      if journal.isRecorded, pending.isEmpty, let other = journal.otherReceipts {
        recorded(journal, account: try account(after: journal, otherReceipts: other))
      } else {
        pending.append(journal)
      }
    }
  }
}
