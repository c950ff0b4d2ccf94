import Signing
import Wire

/// Nanoseconds since the Unix epoch (UTC, no leap seconds). In a simulation it starts at a fixed instant.
public struct Instant: Hashable, Comparable, Sendable, WireCodable, CustomStringConvertible {
  public let nanoseconds: UInt64
  public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

  public static let zero = Instant(nanoseconds: 0)
  public static let distantFuture = Instant(nanoseconds: UInt64(Int64.max))

  public static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

  /// Saturates at zero and at ``distantFuture``.
  public static func + (instant: Instant, span: Span) -> Instant {
    let (sum, overflow) = Int64(clamping: instant.nanoseconds).addingReportingOverflow(span.nanoseconds)
    if overflow { return span.nanoseconds > 0 ? .distantFuture : .zero }
    return Instant(nanoseconds: UInt64(max(0, sum)))
  }

  public static func - (instant: Instant, span: Span) -> Instant { instant + Span(nanoseconds: -span.nanoseconds) }

  public static func - (later: Instant, earlier: Instant) -> Span {
    Span(nanoseconds: Int64(clamping: later.nanoseconds) - Int64(clamping: earlier.nanoseconds))
  }

  public func encode(to writer: inout CBORWriter) { writer.write(nanoseconds) }
  public init(from reader: inout CBORReader) throws(WireError) { nanoseconds = try reader.uint() }
  public var description: String { "\(nanoseconds)ns" }
}

/// A length of time in nanoseconds, possibly negative.
public struct Span: Hashable, Comparable, Sendable, WireCodable, CustomStringConvertible {
  public let nanoseconds: Int64
  public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  public static let zero = Span(nanoseconds: 0)
  public static func microseconds(_ count: Int64) -> Span { Span(nanoseconds: count * 1_000) }
  public static func milliseconds(_ count: Int64) -> Span { Span(nanoseconds: count * 1_000_000) }
  public static func seconds(_ count: Int64) -> Span { Span(nanoseconds: count * 1_000_000_000) }

  public static func < (left: Span, right: Span) -> Bool { left.nanoseconds < right.nanoseconds }
  public static func + (left: Span, right: Span) -> Span { Span(nanoseconds: left.nanoseconds &+ right.nanoseconds) }
  public static func - (left: Span, right: Span) -> Span { Span(nanoseconds: left.nanoseconds &- right.nanoseconds) }
  public static func * (span: Span, count: Int64) -> Span { Span(nanoseconds: span.nanoseconds &* count) }
  public static func / (span: Span, count: Int64) -> Span { Span(nanoseconds: span.nanoseconds / count) }

  public func encode(to writer: inout CBORWriter) { writer.write(nanoseconds) }
  public init(from reader: inout CBORReader) throws(WireError) { nanoseconds = try reader.int() }
  public var description: String { "\(nanoseconds)ns" }
}

/// An amount of money in integer minor units. There are no fractions anywhere; rounding is down and the remainder
/// goes to the customer.
public typealias Amount = UInt64

/// An organisation is its organisation public key: operator, regulator or customer. Blame and money are its own.
public struct OrganisationID: Bytes32Representable {
  public let value: Bytes32
  public init(value: Bytes32) { self.value = value }
  public init(_ key: PublicKey) { value = key.value }
  public var key: PublicKey { PublicKey(value: value) }
}

/// SHA-256 of a JIT contract's canonical bytes (sla.md, "The JIT contract").
public struct ContractID: Bytes32Representable {
  public let value: Bytes32
  public init(value: Bytes32) { self.value = value }
}

/// SHA-256 of the Activate transaction's envelope: one activation, one id, known to its author before it is sent.
public struct ActivationID: Bytes32Representable {
  public let value: Bytes32
  public init(value: Bytes32) { self.value = value }
  public init(_ digest: Digest) { value = digest.value }
}

/// The number of an epoch of one activation, from 0 at its start.
public typealias EpochNumber = UInt64
/// The height of a block; genesis is 0.
public typealias Height = UInt64
/// A consensus view, from 1.
public typealias View = UInt64

/// What kind of payload a signed envelope carries: the number in its protected header and signing domain.
/// Numbers are never reused. Ranges: 1–15 consensus, 16–31 ledger, 32–47 metering, 48–63 attestation,
/// 64–79 agreements between two parties.
public enum MessageKind {
  public static let notarize: UInt16 = 1
  public static let nullify: UInt16 = 2
  public static let finalize: UInt16 = 3
  public static let transaction: UInt16 = 16
  public static let receipt: UInt16 = 32
  public static let commitment: UInt16 = 33
  public static let jointRecord: UInt16 = 34
  public static let attestationEvidence: UInt16 = 48
  public static let settlementAgreement: UInt16 = 64
  public static let activationConsent: UInt16 = 65
  public static let segmentOrder: UInt16 = 66
  public static let submissionAcknowledgement: UInt16 = 67
  public static let memberChange: UInt16 = 68
  public static let keyRotation: UInt16 = 69
  public static let regulatorApproval: UInt16 = 70
  public static let invalidProposal: UInt16 = 71
}
