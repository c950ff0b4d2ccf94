import Messages
import Signing

/// The machine that makes a side's records: the near enclave's or the anchor edge's.
public protocol RecordExchange: Sendable {
  init(parties: AccountParties, key: SigningKey, network: Digest)
  init(
    parties: AccountParties, key: SigningKey, network: Digest, recovering journals: [EpochJournal]
  ) throws(ExchangeRefusal)

  var parties: AccountParties { get }
  var nextToClose: EpochNumber { get }
  var recordedEpochs: UInt64 { get }
  var lastRecord: JointRecord? { get }
  var lastSigned: SignedRecord? { get }
  var collecting: [EpochNumber] { get }

  func previousReceipt(of point: MeteredPoint) -> Digest
  func awaited(in epoch: EpochNumber) -> [PublicKey]
  mutating func apply(_ update: BookingUpdate) -> Bool
  mutating func close(_ epoch: EpochNumber, receipts: [SLAReceipt]) -> EpochJournal?
  mutating func collect(_ epoch: EpochNumber, _ receipts: ReceiptSet) throws(ExchangeRefusal) -> EpochJournal?
  mutating func stopCollecting(_ epoch: EpochNumber) -> EpochJournal?
  func signedRecord(_ journal: EpochJournal) -> SignedRecord?
  mutating func material(of epoch: EpochNumber) -> (material: EpochMaterial, persist: EpochJournal?)
}

extension CustomerExchange: RecordExchange {}
extension OperatorExchange: RecordExchange {}

/// What one enclave or edge signs about an activation: as an anchor the records, with the receipts of the others on its
/// side; else receipts for the anchor to collect.
public struct FlowAccount<Exchange: RecordExchange>: Sendable {
  private enum Part: Sendable {
    case records(Exchange)
    case receipts(ReceiptBook)
  }

  private var part: Part
  /// What this anchor collects.
  private var collections = ReceiptCollections()

  /// An anchor's.
  public init(anchoring parties: AccountParties, key: SigningKey, network: Digest) {
    part = .records(Exchange(parties: parties, key: key, network: network))
  }

  /// Of one whose receipts are collected.
  /// - Parameter from: the first epoch that it counts.
  public init(
    collectedFrom from: EpochNumber, parties: AccountParties, key: SigningKey, network: Digest
  ) {
    part = .receipts(ReceiptBook(parties: parties, key: key, network: network, from: from))
  }

  /// What an earlier life signed, in order of epochs.
  /// - Throws: when the journals do not belong together: another's directory, or a damaged one.
  public mutating func recover(
    _ journals: [EpochJournal], from: EpochNumber, parties: AccountParties, key: SigningKey, network: Digest
  ) throws(ExchangeRefusal) {
    switch part {
    case .records:
      part = .records(try Exchange(parties: parties, key: key, network: network, recovering: journals))
    case .receipts:
      part = .receipts(
        try ReceiptBook(parties: parties, key: key, network: network, from: from, recovering: journals))
    }
  }

  /// Nil for one whose receipts are collected.
  public var exchange: Exchange? {
    get { if case .records(let exchange) = part { exchange } else { nil } }
    set { if let newValue { part = .records(newValue) } }
  }

  public var isAnchor: Bool { exchange != nil }

  public var nextToClose: EpochNumber {
    switch part {
    case .records(let exchange): exchange.nextToClose
    case .receipts(let book): book.nextToClose
    }
  }

  public func previousReceipt(of point: MeteredPoint) -> Digest {
    switch part {
    case .records(let exchange): exchange.previousReceipt(of: point)
    case .receipts(let book): book.previousReceipt(of: point)
    }
  }

  /// - Returns: false for an update that does not fit, or that comes too late here.
  public mutating func apply(_ update: BookingUpdate) -> Bool {
    switch part {
    case .records(var exchange):
      let isTaken = exchange.apply(update)
      part = .records(exchange)
      return isTaken
    case .receipts(var book):
      let isTaken = book.apply(update)
      part = .receipts(book)
      return isTaken
    }
  }

  /// Signs the receipts of an epoch that is over; an anchor begins to collect the others'.
  /// - Returns: what must be durable before anything is asked or answered.
  public mutating func close(
    _ epoch: EpochNumber, receipts: [SLAReceipt], metering: MeteringTerms, at now: Instant
  ) -> EpochJournal? {
    let journal: EpochJournal?
    switch part {
    case .records(var exchange):
      journal = exchange.close(epoch, receipts: receipts)
      part = .records(exchange)
    case .receipts(var book):
      journal = book.close(epoch, receipts: receipts)
      part = .receipts(book)
    }
    if journal?.isCollecting == true { collections.begin(epoch, metering: metering, at: now) }
    return journal
  }

  /// What was signed here for an epoch, for the anchor: nil at the anchor itself, and for an epoch that is open or long
  /// gone.
  public func receipts(of epoch: EpochNumber) -> ReceiptSet? {
    if case .receipts(let book) = part { book.receipts(of: epoch) } else { nil }
  }

  // MARK: Collecting

  /// When there is somebody to ask, or to stop waiting for.
  public var collectingDue: Instant? { collections.nextDue }

  /// After a restart: asks anew for what was being collected.
  public mutating func resumeCollecting(metering: MeteringTerms, at now: Instant) {
    for epoch in exchange?.collecting ?? [] { collections.begin(epoch, metering: metering, at: now) }
  }

  /// Epochs whose patience is over go without what is missing.
  /// - Returns: what must be durable before anything more is asked.
  public mutating func stopCollecting(at now: Instant) -> [EpochJournal] {
    collections.takeOver(at: now).compactMap { exchange?.stopCollecting($0) }
  }

  /// Whom to ask for receipts now, and how long to wait for the answer.
  public mutating func takeRequests(
    at now: Instant
  ) -> [(epoch: EpochNumber, signer: PublicKey, deadline: Span)] {
    guard let exchange else { return [] }
    return collections.take(at: now) { exchange.awaited(in: $0) }
  }

  /// One who was asked answered, or did not.
  /// - Returns: what must be durable before anything more is asked.
  public mutating func collected(
    _ epoch: EpochNumber, from signer: PublicKey, _ receipts: ReceiptSet?
  ) throws(ExchangeRefusal) -> EpochJournal? {
    collections.answered(epoch, by: signer)
    guard let receipts, var exchange else { return nil }
    let journal = try exchange.collect(epoch, receipts)
    if exchange.awaited(in: epoch).isEmpty { collections.complete(epoch) }
    self.exchange = exchange
    return journal
  }
}
