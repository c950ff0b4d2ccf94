import Messages
import Signing
import Wire

/// Evidence against a member, as far as it was brought. Stays for good.
public struct EvidenceRecord: Hashable, Sendable, WireCodable {
  public let evidence: ConsensusEvidence
  /// Of the block that added to it last.
  public let height: Height
  /// Whether it convicts.
  public let isComplete: Bool

  init(evidence: ConsensusEvidence, height: Height, isComplete: Bool) {
    self.evidence = evidence
    self.height = height
    self.isComplete = isComplete
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(3)
    writer.write(evidence)
    writer.write(height)
    writer.write(isComplete)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    (evidence, height, isComplete) = try reader.record(3) { (reader) throws(WireError) in
      (try reader.value(), try reader.uint(), try reader.bool())
    }
  }
}

/// What regulators ordered, who approved it, and when it took effect. Stays for good: the reason is on record.
public struct MeasureRecord: Hashable, Sendable, WireCodable {
  public let order: RegulatorOrder
  /// Ascending.
  public let approvedBy: [OrganisationID]
  public let height: Height

  init(order: RegulatorOrder, approvedBy: [OrganisationID], height: Height) {
    self.order = order
    self.approvedBy = approvedBy
    self.height = height
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(3)
    writer.write(order)
    writer.write(list: approvedBy)
    writer.write(height)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    (order, approvedBy, height) = try reader.record(3) { (reader) throws(WireError) in
      (
        try reader.value(), try reader.list(maximum: Genesis.maximumMembers), try reader.uint()
      )
    }
  }
}

/// A settlement that regulators froze.
public struct FreezeRecord: Hashable, Sendable, WireCodable {
  /// On the chain's clock; until then no money of the activation moves.
  public internal(set) var until: Instant
  /// All freezes of the activation together.
  public internal(set) var total: Span

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(until)
    writer.write(total)
  }

  init(until: Instant, total: Span) {
    self.until = until
    self.total = total
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    (until, total) = try reader.record(2) { (reader) throws(WireError) in (try reader.value(), try reader.value()) }
  }
}
