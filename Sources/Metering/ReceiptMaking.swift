import Messages
import Signing

/// What all receipts of one point have in common.
public struct ReceiptHeading: Sendable {
  public var activation: ActivationID
  public var flow: UInt32
  public var cell: String
  public var clock: ClockQuality
  public var attestation: Digest

  public init(activation: ActivationID, flow: UInt32, cell: String, clock: ClockQuality, attestation: Digest) {
    self.activation = activation
    self.flow = flow
    self.cell = cell
    self.clock = clock
    self.attestation = attestation
  }
}

extension Tally {
  /// The tally as its point claims it.
  public func receipt(
    _ heading: ReceiptHeading, point: MeteredPoint, epoch: EpochNumber, condition: EpochCondition, previous: Digest,
    terminal: Bool
  ) -> SLAReceipt {
    SLAReceipt(
      activation: heading.activation, flow: UInt64(heading.flow), direction: point.direction, point: point.point,
      epoch: epoch, cell: heading.cell, condition: condition, range: range, counts: counts, delay: delay,
      delayVariation: delayVariation,
      roundTrips: probes > 0 || roundTrip != nil ? RoundTrips(probes: probes, summary: roundTrip) : nil,
      slots: slots.bytes, longestGap: window.longestGap, clock: heading.clock, previous: previous,
      attestation: heading.attestation, terminal: terminal)
  }
}
