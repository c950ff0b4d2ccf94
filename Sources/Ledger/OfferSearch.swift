import Messages
import Signing

/// What a customer looks for among the offers of all operators (sla.md, "The JIT contract": service, area, window,
/// price). Pure: the offers come from a proven range of the ledger.
public struct OfferSearch: Hashable, Sendable {
  /// Nil: any.
  public var profile: String?
  /// bit/s the offer must guarantee at least.
  public var guaranteedUp: UInt64 = 0
  /// bit/s the offer must guarantee at least.
  public var guaranteedDown: UInt64 = 0
  /// All of them must be in the service area.
  public var cells: [String]
  /// Must be an allowed peer; nil: whoever.
  public var peer: String?
  public var earliestStart: Instant
  public var latestStart: Instant
  /// How long the service is needed; offers whose epochs do not divide it are taken for the epoch begun too.
  public var duration: Span
  /// For the whole duration, the reservation fee included; nil: any.
  public var priceAtMost: Amount?

  public init(
    profile: String?, cells: [String], peer: String?, earliestStart: Instant, latestStart: Instant, duration: Span,
    priceAtMost: Amount? = nil
  ) {
    self.profile = profile
    self.cells = cells
    self.peer = peer
    self.earliestStart = earliestStart
    self.latestStart = latestStart
    self.duration = duration
    self.priceAtMost = priceAtMost
  }

  /// An offer that fits.
  public struct Match: Hashable, Sendable {
    public let contract: ContractID
    public let terms: ContractTerms
    /// To book.
    public let epochs: UInt64
    /// E of that booking.
    public let price: Amount
  }

  /// Those that fit, the cheapest first; of two at one price the one with the lower id.
  public func matches(_ offers: [(id: ContractID, record: ContractRecord)]) -> [Match] {
    offers.compactMap { match($0.id, $0.record) }
      .sorted { ($0.price, $0.contract) < ($1.price, $1.contract) }
  }

  private func match(_ id: ContractID, _ record: ContractRecord) -> Match? {
    let terms = record.terms
    guard record.isOpen, duration > .zero, profile ?? terms.service.profile == terms.service.profile,
      terms.service.guaranteedUp >= guaranteedUp, terms.service.guaranteedDown >= guaranteedDown,
      cells.allSatisfy(terms.context.serviceArea.contains), peer.map(terms.context.allowedPeers.contains) ?? true
    else { return nil }
    let length = max(1, terms.metering.epoch.nanoseconds)
    let epochs = max(terms.context.minimumEpochs, UInt64((duration.nanoseconds - 1) / length + 1))
    guard epochs <= terms.context.maximumEpochs, let price = try? terms.escrow(epochs: epochs),
      price <= priceAtMost ?? .max,
      terms.hasServiceTime(for: epochs, startingFrom: earliestStart, to: latestStart)
    else { return nil }
    return Match(contract: id, terms: terms, epochs: epochs, price: price)
  }
}
