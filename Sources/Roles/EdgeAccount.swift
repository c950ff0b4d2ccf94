import Effects
import Messages
import Metering
import Signing

/// How an edge accounts for an activation.
enum EdgeAccount: Sendable {
  /// It signs the records (session anchor, TS 23.501 §5.6.9), whichever edges serve.
  case anchor(AnchorAccount)
  /// It signs receipts for the anchor.
  case collected(ReceiptBook)

  var nextToClose: EpochNumber {
    switch self {
    case .anchor(let anchor): anchor.exchange.nextToClose
    case .collected(let book): book.nextToClose
    }
  }

  func previousReceipt(of point: MeteredPoint) -> Digest {
    switch self {
    case .anchor(let anchor): anchor.exchange.previousReceipt(of: point)
    case .collected(let book): book.previousReceipt(of: point)
    }
  }

  /// - Returns: false for an update that does not fit.
  mutating func apply(_ update: BookingUpdate) -> Bool {
    switch self {
    case .anchor(var anchor):
      let isTaken = anchor.exchange.apply(update)
      self = .anchor(anchor)
      return isTaken
    case .collected(var book):
      let isTaken = book.apply(update)
      self = .collected(book)
      return isTaken
    }
  }

  /// Signs the receipts of an epoch that is over.
  /// - Returns: what must be durable before anything is answered.
  mutating func close(_ epoch: EpochNumber, receipts: [SLAReceipt]) -> EpochJournal? {
    switch self {
    case .anchor(var anchor):
      let journal = anchor.exchange.close(epoch, receipts: receipts)
      self = .anchor(anchor)
      return journal
    case .collected(var book):
      let journal = book.close(epoch, receipts: receipts)
      self = .collected(book)
      return journal
    }
  }
}

/// The records of an activation, as the anchor edge makes them with the near enclave.
struct AnchorAccount: Sendable {
  /// Another serving edge that is to know of the last record: its gate waits for it.
  struct Notice: Sendable {
    let edge: ActorAddress
    let epoch: EpochNumber
    var askAt: Instant
    var isUnderWay = false
  }

  var exchange: OperatorExchange
  /// Receipts of the other serving edges.
  var collections = ReceiptCollections()
  /// The enclave asked before this side's receipts were complete: the latest only.
  var waiting: (token: ReplyToken, commitment: CommitmentExchange)?
  private(set) var notices: [Notice] = []
  /// A record that the gates wait for: it is acknowledged once all that hold one know of it, or their patience is over.
  /// So an enclave that has its acknowledgement in time may rely on all of them.
  private(set) var unacknowledged: Unacknowledged?

  struct Unacknowledged: Sendable {
    let epoch: EpochNumber
    let until: Instant
    /// The enclave's submission, where it still waits; the latest only.
    var token: ReplyToken?
  }

  init(_ exchange: OperatorExchange) { self.exchange = exchange }

  var nextDue: Instant? {
    [collections.nextDue, notices.lazy.filter { !$0.isUnderWay }.map(\.askAt).min(), unacknowledged?.until]
      .compactMap { $0 }.min()
  }

  /// A record is there; what is still to be said of earlier ones does not matter any more.
  mutating func tell(_ edges: [ActorAddress], of epoch: EpochNumber, patience: Span, at now: Instant) {
    notices = edges.map { Notice(edge: $0, epoch: epoch, askAt: now) }
    unacknowledged = Unacknowledged(epoch: epoch, until: now + (edges.isEmpty ? .zero : patience))
  }

  /// The enclave waits for its record to be acknowledged.
  /// - Returns: false when it is acknowledged already.
  mutating func wait(_ token: ReplyToken, for epoch: EpochNumber) -> Bool {
    guard unacknowledged?.epoch == epoch else { return false }
    unacknowledged?.token = token
    return true
  }

  /// The record that is to be acknowledged now.
  mutating func takeAcknowledged(at now: Instant) -> Unacknowledged? {
    guard let waiting = unacknowledged, notices.isEmpty || waiting.until <= now else { return nil }
    unacknowledged = nil
    return waiting
  }

  /// Whom to tell now.
  mutating func takeNotices(at now: Instant) -> [Notice] {
    var due: [Notice] = []
    for index in notices.indices where !notices[index].isUnderWay && notices[index].askAt <= now {
      notices[index].isUnderWay = true
      due.append(notices[index])
    }
    return due
  }

  mutating func told(_ edge: ActorAddress, of epoch: EpochNumber) {
    notices.removeAll { $0.edge == edge && $0.epoch == epoch }
  }

  mutating func notTold(_ edge: ActorAddress, of epoch: EpochNumber, askAt: Instant) {
    guard let index = notices.firstIndex(where: { $0.edge == edge && $0.epoch == epoch }) else { return }
    notices[index].isUnderWay = false
    notices[index].askAt = askAt
  }
}
