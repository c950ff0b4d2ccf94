import FixtureSupport
import Messages
import Signing
import Wire

/// A type of which any number of different, well-formed values can be made from a seed.
protocol Sampled {
  static func sample(_ draw: inout Draw) -> Self
}

/// The source of samples: `draw()` makes whatever the context wants. The same seed makes the same values for ever, so
/// that their encodings can be pinned.
struct Draw {
  private var generator: SeededGenerator

  init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

  mutating func callAsFunction<Value: Sampled>() -> Value { Value.sample(&self) }

  mutating func number() -> UInt64 { generator.next() }
  mutating func below(_ limit: UInt64) -> UInt64 { generator.next() % limit }
  mutating func bytes(_ count: Int) -> [UInt8] { generator.bytes(count) }

  mutating func one<Value>(of choices: [Value]) -> Value { choices[Int(below(UInt64(choices.count)))] }

  mutating func list<Value: Sampled>(_ counts: ClosedRange<Int>) -> [Value] {
    (0..<counts.lowerBound + Int(below(UInt64(counts.count)))).map { _ in Value.sample(&self) }
  }
}

// MARK: What records are made of

extension UInt64: Sampled {
  /// Every length of a CBOR head.
  static func sample(_ draw: inout Draw) -> UInt64 { draw.number() >> draw.below(64) }
}

extension UInt32: Sampled {
  static func sample(_ draw: inout Draw) -> UInt32 { UInt32(truncatingIfNeeded: draw.number() >> draw.below(64)) }
}

extension UInt16: Sampled {
  static func sample(_ draw: inout Draw) -> UInt16 { UInt16(draw.below(64)) }
}

extension Bool: Sampled {
  static func sample(_ draw: inout Draw) -> Bool { draw.below(2) == 0 }
}

extension String: Sampled {
  /// One to sixteen letters, some of more than one byte.
  static func sample(_ draw: inout Draw) -> String {
    let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789-éß")
    return String((0...Int(draw.below(16))).map { _ in draw.one(of: letters) })
  }
}

extension Optional: Sampled where Wrapped: Sampled {
  static func sample(_ draw: inout Draw) -> Wrapped? { draw.below(3) == 0 ? nil : Wrapped.sample(&draw) }
}

extension Array: Sampled where Element: Sampled {
  static func sample(_ draw: inout Draw) -> [Element] { draw.list(0...3) }
}

extension CaseIterable where Self: Sampled {
  static func sample(_ draw: inout Draw) -> Self { draw.one(of: Array(allCases)) }
}

extension Bytes32Representable where Self: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    // 32 bytes always make one.
    Bytes32(draw.bytes(32)).map { Self(value: $0) } ?? Self(value: .zero)
  }
}

extension Digest: Sampled {}
extension PublicKey: Sampled {}
extension KeyAgreementPublicKey: Sampled {}
extension OrganisationID: Sampled {}
extension ContractID: Sampled {}
extension ActivationID: Sampled {}

extension Instant: Sampled {
  static func sample(_ draw: inout Draw) -> Instant { Instant(nanoseconds: draw()) }
}

extension Span: Sampled {
  static func sample(_ draw: inout Draw) -> Span { Span(nanoseconds: Int64(truncatingIfNeeded: draw.number() >> 1)) }
}

extension Signature: Sampled {
  static func sample(_ draw: inout Draw) -> Signature { Signature(draw.bytes(64)) ?? .sample(&draw) }
}

extension DataAddress: Sampled {
  static func sample(_ draw: inout Draw) -> DataAddress {
    DataAddress(ipv4: draw(), port: UInt16(draw.below(65_536)))
  }
}

extension ActorAddress: Sampled {
  static func sample(_ draw: inout Draw) -> ActorAddress {
    ActorAddress(draw.one(of: Role.allCases), "name-\(draw.below(1000))")
  }
}

extension Direction: Sampled {}
extension FlowEnd: Sampled {}
extension AccountingSide: Sampled {}
extension MeasurementPoint: Sampled {}
extension EpochCondition: Sampled {}
extension Verdict: Sampled {}
extension KeyRole: Sampled {}
extension ContractStatus: Sampled {}
extension RejectionReason: Sampled {}
extension TransactionResult: Sampled {}
extension ActivationState: Sampled {}
extension StatusInfo: Sampled {}
extension SettlementKind: Sampled {}
extension AttestationLevel: Sampled {}
extension ResourceDomain: Sampled {}
extension Organisation.Kind: Sampled {}
extension ServiceTerms.Sharing: Sampled {}
extension Rule.Metric: Sampled {}
extension Rule.Statistic: Sampled {}
extension Rule.Comparison: Sampled {}
extension EnclaveStatus.Phase: Sampled {}
extension ClockQuality.Source: Sampled {}
extension AttestationEvidence.DebugStatus: Sampled {}
