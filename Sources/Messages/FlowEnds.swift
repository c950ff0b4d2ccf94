import Signing
import Wire

/// The two ends of a flow. `up` runs from near to far, `down` from far to near.
public enum FlowEnd: UInt8, Sendable, CaseIterable, WireCodable, Comparable {
  /// The payer's enclave.
  case near = 1
  /// The other customer's enclave; a one-customer flow ends at the operator's endpoint instead.
  case far = 2

  public var other: FlowEnd { self == .near ? .far : .near }

  /// The direction in which this end sends.
  public var sending: Direction { self == .near ? .up : .down }

  public static func < (left: FlowEnd, right: FlowEnd) -> Bool { left.rawValue < right.rawValue }
}

/// A countersignature: the owner of the far enclave agrees to be metered in this one order. Signed by its treasury or
/// device key. It names the transaction by its signer, nonce and expiry, so that it is good for one Activate: the nonce
/// is free again after the expiry, but not for a transaction with that expiry.
public struct ActivationConsent: Hashable, SignedPayload {
  public static let kind = MessageKind.activationConsent

  /// Signs the Activate.
  public var payer: PublicKey
  /// Of that transaction.
  public var nonce: UInt64
  /// Of that transaction.
  public var expiry: Height
  /// ``ActivationOrder/consentDigest``.
  public var order: Digest

  public init(payer: PublicKey, nonce: UInt64, expiry: Height, order: Digest) {
    self.payer = payer
    self.nonce = nonce
    self.expiry = expiry
    self.order = order
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(4)
    writer.write(payer)
    writer.write(nonce)
    writer.write(expiry)
    writer.write(order)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(4) { (reader) throws(WireError) in
      ActivationConsent(
        payer: try reader.value(), nonce: try reader.uint(), expiry: try reader.uint(), order: try reader.value())
    }
  }
}

extension ActivationOrder {
  /// What a consent names: the order without the consent itself.
  public var consentDigest: Digest {
    var order = self
    order.consent = nil
    return Digest(hashing: order.encoded)
  }

  /// One, or two when another enclave stands at the far end.
  public var ends: [FlowEnd] { enclaves.count == 2 ? [.near, .far] : [.near] }

  /// Where an end begins to be served; nil for a far end that is the operator's endpoint.
  public func cell(of end: FlowEnd) -> String? { end == .near ? cell : peerCell }

  public func enclave(at end: FlowEnd) -> PublicKey? {
    switch end {
    case .near: enclaves.first
    case .far: enclaves.count == 2 ? enclaves[1] : nil
    }
  }
}

/// A customer asks another to take part in a flow: the order as far as it can fill it in (its own enclave, no far cell,
/// no consent). The answer is the completed order.
public struct FlowInvitation: Hashable, Sendable, WireCodable {
  /// Treasury key that will sign the Activate.
  public var payer: PublicKey
  /// Of that transaction.
  public var nonce: UInt64
  /// Of that transaction.
  public var expiry: Height
  public var order: ActivationOrder

  public init(payer: PublicKey, nonce: UInt64, expiry: Height, order: ActivationOrder) {
    self.payer = payer
    self.nonce = nonce
    self.expiry = expiry
    self.order = order
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(4)
    writer.write(payer)
    writer.write(nonce)
    writer.write(expiry)
    writer.write(order)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(4) { (reader) throws(WireError) in
      FlowInvitation(
        payer: try reader.value(), nonce: try reader.uint(), expiry: try reader.uint(), order: try reader.value())
    }
  }
}

extension ActivationOrder {
  /// The countersignature, where there is one.
  func consentChecks(in context: VerificationContext) throws(VerificationError) -> [SignatureCheck] {
    guard let consent else { return [] }
    return [try consent.namedSignerCheck(ActivationConsent.self, in: context)]
  }
}
