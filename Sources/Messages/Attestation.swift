import Signing
import Wire

/// Evidence about an enclave (RFC 9334): an entity attestation token (EAT, RFC 9711) that its platform's launcher
/// signs for the receipt key that the enclave generated. A CBOR map with integer claim keys, in bytewise order:
///
///     8       cnf           {1: {1: 1, -1: 6, -2: x}}     confirmation key (RFC 8747), an OKP COSE_Key: receipt key
///     10      eat_nonce     bstr .size 32                 hash of a recent block
///     256     ueid          01 ‖ 32 bytes                 the platform: its key
///     263     dbgstat       0…4                           debug status
///     267     bootcount     uint                          launches of this enclave on this platform
///     273     measurements  [[65000, bstr .size 32]]      SHA-256 of executable and configuration
///     -65537  level         uint                          AJIT's attestation level (a private claim, RFC 8392)
public struct AttestationEvidence: Hashable, SignedPayload {
  public static let kind = MessageKind.attestationEvidence

  /// EAT `dbgstat` (RFC 9711 §4.2.9).
  public enum DebugStatus: UInt8, Sendable, CaseIterable, WireCodable {
    case enabled = 0
    case disabled = 1
    case disabledSinceBoot = 2
    case disabledPermanently = 3
    case disabledFullyAndPermanently = 4
  }

  /// Hash of an ancestor block fewer than the network's `attestationNonceAge` blocks old: the evidence is no older.
  public var nonce: Digest
  /// SHA-256 of the enclave's executable and configuration, taken by its launcher.
  public var measurement: Digest
  /// Made inside the enclave; signs receipts and records.
  public var receiptKey: PublicKey
  /// The platform's key, which also signs this evidence.
  public var platform: PublicKey
  public var bootCount: UInt64
  public var level: AttestationLevel
  public var debugStatus: DebugStatus

  public init(
    nonce: Digest, measurement: Digest, receiptKey: PublicKey, platform: PublicKey, bootCount: UInt64,
    level: AttestationLevel, debugStatus: DebugStatus = .disabled
  ) {
    self.nonce = nonce
    self.measurement = measurement
    self.receiptKey = receiptKey
    self.platform = platform
    self.bootCount = bootCount
    self.level = level
    self.debugStatus = debugStatus
  }

  private enum Claim {
    static let confirmation: Int64 = 8
    static let nonce: Int64 = 10
    static let ueid: Int64 = 256
    static let debugStatus: Int64 = 263
    static let bootCount: Int64 = 267
    static let measurements: Int64 = 273
    static let level: Int64 = -65_537
    static let count = 7
  }

  /// COSE_Key labels and values (RFC 9053 §7.2).
  private enum Key {
    static let keyType: Int64 = 1
    static let octetKeyPair: Int64 = 1
    static let curve: Int64 = -1
    static let ed25519: Int64 = 6
    static let x: Int64 = -2
  }

  /// `cnf` member that holds a COSE_Key (RFC 8747 §3.2).
  private static let confirmationKey: Int64 = 1
  /// EAT's RAND type of ueid (RFC 9711 §4.2.1): the bytes that follow have no structure.
  private static let randomUEID: UInt8 = 0x01
  /// A CoAP Content-Format of the experimental range: 32 bytes of SHA-256.
  private static let measurementFormat: UInt64 = 65_000

  public func encode(to writer: inout CBORWriter) {
    writer.map(Claim.count)
    writer.write(Claim.confirmation)
    writer.map(1)
    writer.write(Self.confirmationKey)
    writer.map(3)
    writer.write(Key.keyType)
    writer.write(Key.octetKeyPair)
    writer.write(Key.curve)
    writer.write(Key.ed25519)
    writer.write(Key.x)
    writer.write(receiptKey)
    writer.write(Claim.nonce)
    writer.write(nonce)
    writer.write(Claim.ueid)
    writer.write(bytes: [Self.randomUEID] + platform.bytes)
    writer.write(Claim.debugStatus)
    writer.write(debugStatus)
    writer.write(Claim.bootCount)
    writer.write(bootCount)
    writer.write(Claim.measurements)
    writer.array(1)
    writer.array(2)
    writer.write(Self.measurementFormat)
    writer.write(measurement)
    writer.write(Claim.level)
    writer.write(level)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.map(maximum: Claim.count) { (reader, count) throws(WireError) in
      guard count == Claim.count else { throw .invalidValue(field: "evidence claims") }
      var previous: [UInt8]?
      func expect(_ claim: Int64, _ reader: inout CBORReader) throws(WireError) {
        guard try reader.mapKey(after: &previous) == claim else {
          throw .invalidValue(field: "evidence claim \(claim)")
        }
      }
      try expect(Claim.confirmation, &reader)
      let receiptKey = try Self.readConfirmation(&reader)
      try expect(Claim.nonce, &reader)
      let nonce = try Digest(from: &reader)
      try expect(Claim.ueid, &reader)
      let ueid = try reader.byteString(exactly: 33, field: "ueid")
      guard ueid[0] == Self.randomUEID, let platform = PublicKey(ueid.dropFirst()) else {
        throw .invalidValue(field: "ueid")
      }
      try expect(Claim.debugStatus, &reader)
      let debugStatus = try DebugStatus(from: &reader)
      try expect(Claim.bootCount, &reader)
      let bootCount = try reader.uint()
      try expect(Claim.measurements, &reader)
      let measurement = try reader.record(1) { (reader) throws(WireError) in
        try reader.record(2) { (reader) throws(WireError) in
          guard try reader.uint() == Self.measurementFormat else { throw .invalidValue(field: "measurement format") }
          return try Digest(from: &reader)
        }
      }
      try expect(Claim.level, &reader)
      return AttestationEvidence(
        nonce: nonce, measurement: measurement, receiptKey: receiptKey, platform: platform, bootCount: bootCount,
        level: try reader.value(), debugStatus: debugStatus)
    }
  }

  private static func readConfirmation(_ reader: inout CBORReader) throws(WireError) -> PublicKey {
    try reader.map(maximum: 1) { (reader, count) throws(WireError) in
      guard count == 1, try reader.int() == confirmationKey else { throw .invalidValue(field: "cnf") }
      return try reader.map(maximum: 3) { (reader, count) throws(WireError) in
        guard count == 3, try reader.int() == Key.keyType, try reader.int() == Key.octetKeyPair,
          try reader.int() == Key.curve, try reader.int() == Key.ed25519, try reader.int() == Key.x
        else { throw .invalidValue(field: "cnf key") }
        return try PublicKey(from: &reader)
      }
    }
  }
}
