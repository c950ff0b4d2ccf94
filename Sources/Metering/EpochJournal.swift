import Messages
import Signing
import Wire

/// One epoch's exchange as one side holds it durably: everything signed stands here before it leaves, else a crash
/// would make an honest party contradict itself. Replaced as the exchange goes on; complete once both records are in,
/// or the ledger opened both sets.
public struct EpochJournal: Hashable, Sendable, WireCodable {
  public let epoch: EpochNumber
  /// This side's: the holder's own, and what it collected from the others of its side.
  public internal(set) var ownReceipts: ReceiptSet
  /// Receipts of others on this side may still come; nothing is committed to before.
  public internal(set) var isCollecting: Bool
  public internal(set) var ownCommitment: Envelope?
  public internal(set) var otherCommitment: Envelope?
  public internal(set) var otherReceipts: ReceiptSet?
  public internal(set) var ownRecord: Envelope?
  public internal(set) var otherRecord: Envelope?
  /// The ledger opened both sides' receipts (DemandRecord): the record follows without signatures.
  public internal(set) var isSettled = false

  init(epoch: EpochNumber, ownReceipts: ReceiptSet, isCollecting: Bool = false) {
    self.epoch = epoch
    self.ownReceipts = ownReceipts
    self.isCollecting = isCollecting
  }

  public var isRecorded: Bool { isSettled || (ownRecord != nil && otherRecord != nil) }

  public func encode(to writer: inout CBORWriter) {
    writer.array(9)
    writer.write(epoch)
    writer.write(ownReceipts)
    writer.write(isCollecting)
    writer.write(optional: ownCommitment)
    writer.write(optional: otherCommitment)
    writer.write(optional: otherReceipts)
    writer.write(optional: ownRecord)
    writer.write(optional: otherRecord)
    writer.write(isSettled)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(9) { (reader) throws(WireError) in
      var journal = EpochJournal(
        epoch: try reader.uint(), ownReceipts: try reader.value(), isCollecting: try reader.bool())
      journal.ownCommitment = try reader.optional()
      journal.otherCommitment = try reader.optional()
      journal.otherReceipts = try reader.optional()
      journal.ownRecord = try reader.optional()
      journal.otherRecord = try reader.optional()
      journal.isSettled = try reader.bool()
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
