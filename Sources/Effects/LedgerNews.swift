import Messages
import Signing

/// One thing that a final block says, in the order of the block.
public enum LedgerNotice: Sendable {
  /// A transaction stands in a block, accepted or refused.
  case transaction(Digest, TransactionResult)
  case deployed(ContractID, ContractTerms)
  case statusSet(ContractID, ContractStatus)
  case ordered(ActivationID, ActivationOrder, payer: PublicKey, expiry: Height)
  case confirmed(SliceConfirmation)
  case rejected(SliceRejection)
  case handedOver(SliceHandover)
  /// Extend or Renegotiate: both sides signed this order.
  case amended(SegmentOrder)
  case serviceDemanded(ActivationID)
  /// With a record it answers every demand up to its epoch; either side may have brought it.
  case serviceStarted(ServiceProof)
  case recordDemanded(RecordDemand, by: PublicKey)
  case recordPosted(RecordPost, by: PublicKey)
  /// Opened CLOSING, or replaced the record there.
  case settlementPosted(ActivationID, SignedRecord?, by: PublicKey)
  case disputed(Dispute, by: PublicKey)
  case maintenance(AnnouncedMaintenance, by: PublicKey)
  case changed(ActivationChange)
  /// The evidence that was accepted for a receipt key, by its envelope's digest.
  case evidence(PublicKey, Digest)
  case enclaveRegistered(PublicKey, owner: OrganisationID, expires: Instant)
  /// The block ends an era: this one follows.
  case eraBegins(EraRecord)
  /// Nothing of the past is missing any more: what comes from now on is news.
  case caughtUp
}

/// How far the ledger has been read.
public struct LedgerTip: Hashable, Sendable {
  public let height: Height
  /// Of the block there; of the genesis its network's id.
  public let hash: Digest
  public let time: Instant

  public init(height: Height, hash: Digest, time: Instant) {
    self.height = height
    self.hash = hash
    self.time = time
  }
}

/// What a final block says to roles of one process that read the ledger through one of them. Each block is verified and
/// taken apart once; a reader whom it does not concern is not even woken, and learns how far the ledger is before it
/// handles its next event.
///
/// That is no message: nobody verifies it, and it never leaves the process. They share an operator of one machine and
/// believe no more of it than they would of their own reading.
public struct LedgerNews: Sendable {
  /// What concerns one reader.
  public struct Share: Sendable {
    /// Position among the readers.
    public let reader: Int
    public let notices: [LedgerNotice]

    public init(reader: Int, notices: [LedgerNotice]) {
      self.reader = reader
      self.notices = notices
    }
  }

  public let tip: LedgerTip
  /// Everyone who reads this way, concerned or not; the first is the one who tells.
  public let readers: [ActorAddress]
  /// Ascending by reader, none empty.
  public let shares: [Share]

  public init(tip: LedgerTip, readers: [ActorAddress], shares: [Share]) {
    self.tip = tip
    self.readers = readers
    self.shares = shares
  }
}
