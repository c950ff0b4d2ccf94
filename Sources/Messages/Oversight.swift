import Signing
import Wire

/// What regulators may order together (sla.md, RegulatorAction).
public enum RegulatorMeasure: Hashable, Sendable, WireCodable {
  /// The contract takes no new activations; those that run continue.
  case suspendContract(ContractID)
  /// Lifts that.
  case restoreContract(ContractID)
  /// No money of the activation moves, and its clocks stop, for so long.
  case freezeSettlement(ActivationID, Span)
  /// The operator must open the slice plan whose hash it confirmed.
  case openAudit(ActivationID)

  public func encode(to writer: inout CBORWriter) {
    switch self {
    case .suspendContract(let contract):
      writer.array(2)
      writer.write(UInt64(1))
      writer.write(contract)
    case .restoreContract(let contract):
      writer.array(2)
      writer.write(UInt64(2))
      writer.write(contract)
    case .freezeSettlement(let activation, let span):
      writer.array(3)
      writer.write(UInt64(3))
      writer.write(activation)
      writer.write(span)
    case .openAudit(let activation):
      writer.array(2)
      writer.write(UInt64(4))
      writer.write(activation)
    }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.array(maximum: 3) { (reader, count) throws(WireError) in
      switch (try reader.uint(), count) {
      case (1, 2): return .suspendContract(try reader.value())
      case (2, 2): return .restoreContract(try reader.value())
      case (3, 3): return .freezeSettlement(try reader.value(), try reader.value())
      case (4, 2): return .openAudit(try reader.value())
      default: throw .invalidValue(field: "measure of regulators")
      }
    }
  }
}

/// A measure with its reason, as each regulator approves it: all sign this very statement, with the keys of their
/// validators. It takes effect when a threshold of regulators did (``NetworkParameters/regulatorThreshold``).
public struct RegulatorOrder: Hashable, SignedPayload {
  public static let kind = MessageKind.regulatorApproval

  public var measure: RegulatorMeasure
  public var reason: String
  /// Last height at which it may take effect.
  public var expiry: Height

  public static let maximumReasonBytes = 512

  public init(measure: RegulatorMeasure, reason: String, expiry: Height) {
    self.measure = measure
    self.reason = reason
    self.expiry = expiry
  }

  /// Its name: SHA-256 of the canonical bytes.
  public var id: Digest { Digest(hashing: encoded) }

  public func encode(to writer: inout CBORWriter) {
    writer.array(3)
    writer.write(measure)
    writer.write(reason)
    writer.write(expiry)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(3) { (reader) throws(WireError) in
      RegulatorOrder(
        measure: try reader.value(), reason: try reader.text(maximum: Self.maximumReasonBytes),
        expiry: try reader.uint())
    }
  }
}

extension Envelope {
  /// A statement that takes effect only when enough have signed it, under the signer that it names.
  func approvalCheck(in context: VerificationContext) throws(VerificationError) -> SignatureCheck {
    kind == MemberChange.kind
      ? try namedSignerCheck(MemberChange.self, in: context) : try namedSignerCheck(RegulatorOrder.self, in: context)
  }
}
