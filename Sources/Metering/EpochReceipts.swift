import Messages
import Signing
import Wire

/// Why a receipt set is refused. Whoever sent it is treated as if nothing had come.
public enum ReceiptRefusal: Error, Equatable, Sendable {
  /// Not receipts, or receipts that are not canonical.
  case malformed
  /// Signed by a key that does not stand at the point in this epoch.
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
  /// The flow's ends under metering.
  public let ends: [FlowEnd]
  /// Who stands where packets enter can tell the enclave's from a stranger's: the edge that the operator's endpoint
  /// lives at, which shares the key of the tags. No edge between two customers can, nor one that a customer's end moved
  /// to.
  public let entryChecksTags: Bool
  /// The anchor edge, which takes the customer's records, says that it had the gating one in time.
  public let anchorHadRecord: Bool
  public let customer: [SLAReceipt]
  public let networkOperator: [SLAReceipt]

  public init(
    epoch: EpochNumber, ends: [FlowEnd] = [.near], entryChecksTags: Bool = true, anchorHadRecord: Bool = false,
    customer: [SLAReceipt], networkOperator: [SLAReceipt]
  ) {
    self.epoch = epoch
    self.ends = ends
    self.entryChecksTags = entryChecksTags && !ends.contains(.far)
    self.anchorHadRecord = anchorHadRecord
    self.customer = customer
    self.networkOperator = networkOperator
  }

  public func receipts(of side: AccountingSide) -> [SLAReceipt] { side == .customer ? customer : networkOperator }

  public func receipt(_ direction: Direction, _ point: MeasurementPoint) -> SLAReceipt? {
    receipts(of: point.side).first { $0.direction == direction && $0.point == point }
  }

  /// A side did not count the whole epoch at all of its points: its own doing, whichever of its enclaves or edges it
  /// was. A missing receipt is the same. So is a gate that stayed shut although the anchor had the record: who was not
  /// told of it is between the operator's own edges.
  public func isInterrupted(_ side: AccountingSide) -> Bool {
    let receipts = receipts(of: side)
    return receipts.count < side.points(ends).count || receipts.contains { $0.condition == .interrupted }
      || (side == .networkOperator && anchorHadRecord && isGateShut)
  }

  /// An edge held the gate shut: whichever it was, nothing passes.
  var isGateShut: Bool { networkOperator.contains { $0.condition == .gated } }

  /// Epoch rule 8: not served when the operator held the gate shut and the customer does not claim, with all of its
  /// receipts, to have had the gating record acknowledged in time. If it does claim that, the epoch is judged like any
  /// other, and what it lost on the access segment is contested.
  public var isServed: Bool {
    !isGateShut || (!isInterrupted(.customer) && customer.allSatisfy { $0.condition == .whole })
  }
}

extension ReceiptSet {
  /// Opens one side's set: every receipt is of this activation and epoch, of a point of that side, signed by who stands
  /// there in this epoch, and follows the point's last. The signatures themselves hold already.
  func open(
    _ side: AccountingSide, epoch: EpochNumber, parties: AccountParties, after chain: ReceiptChain
  ) throws(ReceiptRefusal) -> [SLAReceipt] {
    var opened: [SLAReceipt] = []
    var points = side.points(parties.ends)[...]
    for envelope in receipts {
      guard let receipt = try? envelope.decode(SLAReceipt.self), receipt.keeps(to: parties.metering.histogram) else {
        throw .malformed
      }
      guard receipt.activation == parties.activation, receipt.epoch == epoch else { throw .wrongEpoch }
      guard let index = points.firstIndex(of: receipt.meteredPoint) else { throw .wrongPoint }
      try parties.check(receipt, by: envelope.signer, after: chain)
      points = points[(index + 1)...]
      opened.append(receipt)
    }
    return opened
  }
}

extension ReceiptSet {
  /// Whether a side's set has a receipt of one epoch from each of its points, by whoever stands there.
  public func covers(_ side: AccountingSide, of epoch: EpochNumber, parties: AccountParties) -> Bool {
    let points = side.points(parties.ends)
    return receipts.count == points.count
      && zip(points, receipts).allSatisfy { point, envelope in
        guard let receipt = try? envelope.decode(SLAReceipt.self) else { return false }
        return receipt.activation == parties.activation && receipt.epoch == epoch && receipt.meteredPoint == point
          && envelope.signer != nil && envelope.signer == parties.signer(of: point, in: epoch)
      }
  }
}

extension AccountParties {
  /// Whether a receipt is signed by who stands at its point in its epoch and follows that point's last.
  func check(_ receipt: SLAReceipt, by signer: PublicKey?, after chain: ReceiptChain) throws(ReceiptRefusal) {
    let point = receipt.meteredPoint
    guard let signer, self.signer(of: point, in: receipt.epoch) == signer else { throw .wrongSigner }
    let expected = begins(point, with: receipt.epoch) ? .zero : chain.expected(at: point)
    guard expected == nil || expected == receipt.previous else { throw .brokenChain }
  }

  /// Who owed receipts of an epoch and gave none, in the order of the points.
  func missing(from receipts: EpochReceipts) -> [PublicKey] {
    var missing: [PublicKey] = []
    for point in AccountingSide.allCases.flatMap({ $0.points(ends) })
    where receipts.receipt(point.direction, point.point) == nil {
      if let signer = signer(of: point, in: receipts.epoch), !missing.contains(signer) { missing.append(signer) }
    }
    return missing
  }
}

extension SLAReceipt {
  public var meteredPoint: MeteredPoint { MeteredPoint(direction, point) }

  /// Whether its histograms have only buckets that the contract's specification has: what is carried from epoch to
  /// epoch must stay as small as the contract was checked for (``AccountState``).
  func keeps(to specification: HistogramSpecification) -> Bool {
    [delay, delayVariation, roundTrips?.summary].allSatisfy { $0?.keeps(to: specification) ?? true }
  }
}

extension RuleWindows {
  /// The same of what both sides signed: two that act as one could write anything there.
  func keeps(to specification: HistogramSpecification) -> Bool {
    evidence.allSatisfy { $0.delay?.keeps(to: specification) ?? true }
  }
}

extension DelaySummary {
  fileprivate func keeps(to specification: HistogramSpecification) -> Bool {
    histogram.buckets.last.map { UInt64($0.index) < specification.bucketCount } ?? true
  }
}
