import Messages
import Signing
import Wire

/// Why a receipt set is refused. Whoever sent it is treated as if nothing had come.
public enum ReceiptRefusal: Error, Equatable, Sendable {
  /// Not receipts, or receipts that are not canonical.
  case malformed
  /// Signed by a key that does not account for this side of the activation.
  case wrongSigner
  /// Of another activation or epoch: a replay.
  case wrongEpoch
  /// A point of the other side, twice, or out of order.
  case wrongPoint
  /// Does not follow the point's receipt of the epoch before.
  case brokenChain
  /// Not what the commitment named.
  case notAsCommitted
}

/// Both sides' receipts of one epoch, opened.
public struct EpochReceipts: Sendable {
  public let epoch: EpochNumber
  public let customer: [SLAReceipt]
  public let networkOperator: [SLAReceipt]

  public init(epoch: EpochNumber, customer: [SLAReceipt], networkOperator: [SLAReceipt]) {
    self.epoch = epoch
    self.customer = customer
    self.networkOperator = networkOperator
  }

  public func receipts(of side: AccountingSide) -> [SLAReceipt] { side == .customer ? customer : networkOperator }

  public func receipt(_ direction: Direction, _ point: MeasurementPoint) -> SLAReceipt? {
    receipts(of: point.side).first { $0.direction == direction && $0.point == point }
  }

  /// What a side says of the epoch as a whole: a missing receipt is an interruption of its own doing, and the gate
  /// counts as shut only if all of its receipts say so.
  public func condition(of side: AccountingSide) -> EpochCondition {
    let receipts = receipts(of: side)
    guard receipts.count == side.points.count else { return .interrupted }
    if receipts.allSatisfy({ $0.condition == .gated }) { return .gated }
    return receipts.contains { $0.condition == .interrupted } ? .interrupted : .whole
  }

  /// Epoch rule 8: not served when the operator held the gate shut and the customer does not claim to have had the
  /// gating record acknowledged in time. If it does claim that, the epoch is judged like any other, and what it lost
  /// on the access segment is contested.
  public var isServed: Bool {
    condition(of: .networkOperator) != .gated || condition(of: .customer) == .whole
  }
}

extension ReceiptSet {
  /// Opens one side's set: every receipt is of this activation and epoch, of a point of that side, signed by one of
  /// its keys, and follows the point's last. The signatures themselves hold already.
  /// - Parameter previous: digests of the last receipts by point; a point that has none yet starts its chain with zero.
  func open(
    side: AccountingSide, activation: ActivationID, epoch: EpochNumber, signers: [PublicKey],
    previous: ReceiptChain
  ) throws(ReceiptRefusal) -> [SLAReceipt] {
    var opened: [SLAReceipt] = []
    var points = side.points[...]
    for envelope in receipts {
      guard let receipt = try? envelope.decode(SLAReceipt.self) else { throw .malformed }
      guard let signer = envelope.signer, signers.contains(signer) else { throw .wrongSigner }
      guard receipt.activation == activation, receipt.epoch == epoch else { throw .wrongEpoch }
      let point = MeteredPoint(receipt.direction, receipt.point)
      guard let index = points.firstIndex(of: point) else { throw .wrongPoint }
      points = points[(index + 1)...]
      guard receipt.previous == previous[point] else { throw .brokenChain }
      opened.append(receipt)
    }
    return opened
  }
}

/// The last receipt's digest of every point: what the next must name.
public struct ReceiptChain: Hashable, Sendable {
  private var digests: [MeteredPoint: Digest] = [:]

  public init() {}

  public subscript(point: MeteredPoint) -> Digest { digests[point] ?? .zero }

  mutating func advance(_ receipts: [SLAReceipt]) {
    for receipt in receipts { digests[MeteredPoint(receipt.direction, receipt.point)] = receipt.digest }
  }
}
