import Messages
import Signing

/// The receipts that one key signs, epoch by epoch: the chain of each of its points, and whatever it has signed lately.
///
/// All that an enclave or an edge needs that is not an anchor: the anchor of its side asks it for its receipts and
/// exchanges them for it. Nothing new is ever signed for an epoch.
public struct ReceiptBook: Sendable {
  public private(set) var parties: AccountParties
  /// The epoch that is closed next.
  public private(set) var nextToClose: EpochNumber
  private let key: SigningKey
  private let network: Digest
  /// Of the epoch before ``nextToClose``.
  private var last: [SLAReceipt] = []
  private var remembered: [EpochJournal] = []
  private let rememberedAtMost: Int

  /// Epochs for which the anchor may still ask: it does at every close, and after a crash for those it missed.
  public static let rememberedEpochs = 16

  /// - Parameter from: the first epoch that it serves.
  public init(parties: AccountParties, key: SigningKey, network: Digest, from: EpochNumber = 0) {
    self.init(parties: parties, key: key, network: network, from: from, remembering: Self.rememberedEpochs)
  }

  /// - Parameter epochs: an anchor keeps its receipts in the exchange and needs none here.
  init(parties: AccountParties, key: SigningKey, network: Digest, from: EpochNumber = 0, remembering epochs: Int) {
    self.parties = parties
    self.key = key
    self.network = network
    nextToClose = from
    rememberedAtMost = epochs
  }

  /// - Parameter journals: of this key, in order of epochs.
  /// - Throws: when the journals do not belong together. The state is another's or damaged: stop.
  public init(
    parties: AccountParties, key: SigningKey, network: Digest, from: EpochNumber = 0,
    recovering journals: [EpochJournal]
  ) throws(ExchangeRefusal) {
    self.init(parties: parties, key: key, network: network, from: from)
    for journal in journals {
      guard journal.epoch == nextToClose else { throw .wrongStatement }
      closed(journal, try Self.receipts(of: journal, by: key.publicKey))
    }
  }

  /// What this key signs in an epoch, in the order in which it hands them over; empty when it serves no end then.
  public func points(in epoch: EpochNumber) -> [MeteredPoint] { parties.points(of: key.publicKey, in: epoch) }

  /// What the next receipt of a point must name as its previous.
  public func previousReceipt(of point: MeteredPoint) -> Digest {
    guard !parties.begins(point, with: nextToClose) else { return .zero }
    return last.first { $0.meteredPoint == point }?.digest ?? .zero
  }

  /// Signs the receipts of an epoch that is over. Epochs are closed one by one, also those in which it has no point.
  /// - Returns: what must be durable before anything is answered; nil if it is another epoch's turn.
  public mutating func close(_ epoch: EpochNumber, receipts: [SLAReceipt]) -> EpochJournal? {
    guard epoch == nextToClose else { return nil }
    let set = ReceiptSet(receipts.map { Envelope(signing: $0, with: key, network: network) })
    let journal = EpochJournal(epoch: epoch, ownReceipts: set)
    closed(journal, receipts)
    return journal
  }

  /// What it signed for an epoch; nil while the epoch is open, and for one too long ago.
  public func receipts(of epoch: EpochNumber) -> ReceiptSet? {
    remembered.first { $0.epoch == epoch }?.ownReceipts
  }

  /// An amendment or a handover that is FINAL on the ledger. One of an epoch that is closed here changes nothing about
  /// that: receipts of points at which another stood then are refused by whoever collects them.
  /// - Returns: false for one that does not fit.
  public mutating func apply(_ update: BookingUpdate) -> Bool { parties.apply(update) }

  /// Starts with the parties that the account it belongs to has.
  mutating func follow(_ parties: AccountParties) { self.parties = parties }

  mutating func recover(_ journal: EpochJournal) throws(ExchangeRefusal) {
    guard journal.epoch == nextToClose else { throw .wrongStatement }
    closed(journal, try Self.receipts(of: journal, by: key.publicKey))
  }

  private mutating func closed(_ journal: EpochJournal, _ receipts: [SLAReceipt]) {
    last = receipts
    nextToClose = journal.epoch + 1
    remembered.append(journal)
    if remembered.count > rememberedAtMost { remembered.removeFirst() }
  }

  private static func receipts(
    of journal: EpochJournal, by signer: PublicKey
  ) throws(ExchangeRefusal) -> [SLAReceipt] {
    var receipts: [SLAReceipt] = []
    for envelope in journal.ownReceipts.receipts where envelope.signer == signer {
      guard let receipt = try? envelope.decode(SLAReceipt.self) else { throw .wrongStatement }
      receipts.append(receipt)
    }
    return receipts
  }
}
