import Messages
import Signing

/// When an anchor asks the others of its side for their receipts. It asks each as soon as an epoch is closed here, asks
/// again whoever has not answered, and stops when the contract's patience is over: whose receipts have not come by then
/// is named in the record as missing.
public struct ReceiptCollections: Sendable {
  private struct Collection: Sendable {
    let epoch: EpochNumber
    let until: Instant
    let pause: Span
    var askAt: Instant
    var underWay: [PublicKey] = []
  }

  /// One for each epoch that is closed here and not complete, ascending.
  private var collections: [Collection] = []

  /// Rounds of asking within the patience, at most.
  static let rounds: Int64 = 4

  public init() {}

  public var isEmpty: Bool { collections.isEmpty }

  /// Starts to ask for an epoch that was closed now.
  public mutating func begin(_ epoch: EpochNumber, metering: MeteringTerms, at now: Instant) {
    guard !collections.contains(where: { $0.epoch == epoch }) else { return }
    let patience = metering.collectionPatience
    collections.append(
      Collection(
        epoch: epoch, until: now + patience,
        pause: max(Span(nanoseconds: 1), Span(nanoseconds: patience.nanoseconds / Self.rounds)), askAt: now))
  }

  /// When to look again: to ask, or because an epoch's patience is over.
  public var nextDue: Instant? { collections.map { min($0.askAt, $0.until) }.min() }

  /// Epochs whose patience is over, ascending: they go without what is missing.
  public mutating func takeOver(at now: Instant) -> [EpochNumber] {
    let over = collections.filter { $0.until <= now }.map(\.epoch)
    collections.removeAll { $0.until <= now }
    return over
  }

  /// All receipts of an epoch are here.
  public mutating func complete(_ epoch: EpochNumber) { collections.removeAll { $0.epoch == epoch } }

  /// Whom to ask now, and how long to wait for the answer.
  /// - Parameter awaited: who has not handed over its receipts of an epoch.
  public mutating func take(
    at now: Instant, awaited: (EpochNumber) -> [PublicKey]
  ) -> [(epoch: EpochNumber, signer: PublicKey, deadline: Span)] {
    var asks: [(epoch: EpochNumber, signer: PublicKey, deadline: Span)] = []
    for index in collections.indices where collections[index].askAt <= now {
      let collection = collections[index]
      for signer in awaited(collection.epoch) where !collection.underWay.contains(signer) {
        asks.append((collection.epoch, signer, min(collection.until - now, collection.pause * 2)))
        collections[index].underWay.append(signer)
      }
      collections[index].askAt = now + collection.pause
    }
    return asks
  }

  /// A request is answered, or never will be.
  public mutating func answered(_ epoch: EpochNumber, by signer: PublicKey) {
    guard let index = collections.firstIndex(where: { $0.epoch == epoch }) else { return }
    collections[index].underWay.removeAll { $0 == signer }
  }
}

extension Message {
  /// What was asked for with `getReceipts`, if this is the answer to that.
  public var givenReceipts: ReceiptSet? { if case .receipts(let receipts) = self { receipts } else { nil } }
}
