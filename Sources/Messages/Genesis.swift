import Signing
import Wire

/// Where a network begins. Its hash is the network id that every signature is bound to; the salt makes a fresh
/// network's id new even when everything else is the same, so votes of one mean nothing in another.
public struct Genesis: Hashable, Sendable, WireCodable {
  public static let formatVersion: UInt64 = 1
  public static let saltBytes = 16
  public static let maximumOrganisations = 65_536
  public static let maximumMembers = 64

  public let salt: [UInt8]
  public let scheme: UInt8
  public let time: Instant
  public let parameters: NetworkParameters
  /// In member order: the number of a member in votes and bitmaps is its position here.
  public let members: [Member]
  public let organisations: [Organisation]
  /// Keys that endorse platforms: an enclave's evidence is signed by one of these.
  public let platformKeys: [PublicKey]
  /// SHA-256 of the canonical bytes. Kept, because every actor of a process asks for it and a genesis of a thousand
  /// customers has a hundred thousand of them.
  public private(set) var networkID = Digest.zero

  public init(
    salt: [UInt8], scheme: SignatureScheme, time: Instant, parameters: NetworkParameters, members: [Member],
    organisations: [Organisation], platformKeys: [PublicKey]
  ) {
    self.salt = salt
    self.scheme = scheme.rawValue
    self.time = time
    self.parameters = parameters
    self.members = members
    self.organisations = organisations
    self.platformKeys = platformKeys
    networkID = Digest(hashing: encoded)
  }

  public var signatureScheme: SignatureScheme? { SignatureScheme(rawValue: scheme) }

  /// What every signature of this network is checked against.
  public var verificationContext: VerificationContext {
    VerificationContext(
      network: networkID, scheme: signatureScheme ?? .ed25519, members: firstEra.keys)
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(8)
    writer.write(Self.formatVersion)
    writer.write(bytes: salt)
    writer.write(UInt64(scheme))
    writer.write(time)
    writer.write(parameters)
    writer.write(list: members)
    writer.write(list: organisations)
    writer.write(list: platformKeys)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(8) { (reader) throws(WireError) in
      guard try reader.uint() == Self.formatVersion else { throw .invalidValue(field: "genesis version") }
      let salt = try reader.byteString(exactly: Self.saltBytes, field: "salt")
      guard let scheme = SignatureScheme(rawValue: try reader.uint(UInt8.self, field: "scheme")) else {
        throw .invalidValue(field: "scheme")
      }
      return Genesis(
        salt: salt, scheme: scheme, time: try reader.value(), parameters: try reader.value(),
        members: try reader.list(maximum: Self.maximumMembers),
        organisations: try reader.list(maximum: Self.maximumOrganisations),
        platformKeys: try reader.list(maximum: 1024))
    }
  }
}

/// A voting member. Regulators vote and never lead.
public struct Member: Hashable, Sendable, WireCodable {
  public var name: String
  public var key: PublicKey
  public var organisation: OrganisationID
  public var leads: Bool

  public init(name: String, key: PublicKey, organisation: OrganisationID, leads: Bool) {
    self.name = name
    self.key = key
    self.organisation = organisation
    self.leads = leads
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(4)
    writer.write(name)
    writer.write(key)
    writer.write(organisation)
    writer.write(leads)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(4) { (reader) throws(WireError) in
      Member(
        name: try reader.text(maximum: ActorAddress.maximumNameBytes), key: try reader.value(),
        organisation: try reader.value(), leads: try reader.bool())
    }
  }
}

/// An organisation that exists from the start, its credit and the role keys it comes with.
public struct Organisation: Hashable, Sendable, WireCodable {
  public enum Kind: UInt8, Sendable, CaseIterable, WireCodable {
    case networkOperator = 1
    case regulator = 2
    case customer = 3
  }

  public var id: OrganisationID
  public var name: String
  public var kind: Kind
  public var credit: Amount
  public var keys: [Enrolment]

  public static let maximumKeys = 256

  public init(id: OrganisationID, name: String, kind: Kind, credit: Amount, keys: [Enrolment]) {
    self.id = id
    self.name = name
    self.kind = kind
    self.credit = credit
    self.keys = keys
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(5)
    writer.write(id)
    writer.write(name)
    writer.write(kind)
    writer.write(credit)
    writer.write(list: keys)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(5) { (reader) throws(WireError) in
      Organisation(
        id: try reader.value(), name: try reader.text(maximum: ActorAddress.maximumNameBytes),
        kind: try reader.value(), credit: try reader.uint(), keys: try reader.list(maximum: Self.maximumKeys))
    }
  }
}

/// Numbers everyone must agree on.
public struct NetworkParameters: Hashable, Sendable, WireCodable {
  /// An idle ledger makes a block this often.
  public var heartbeat: Span
  public var timeoutFloor: Span
  public var timeoutCap: Span
  /// How far a block's time may lie behind and ahead of a member's clock.
  public var maximumBehind: Span
  public var maximumAhead: Span
  /// Transactions in one block at most.
  public var blockTransactions: UInt64
  /// Transactions of one sender in one block at most.
  public var senderQuota: UInt64
  /// Deadlines that may run out in one block at most (K).
  public var expiriesPerBlock: UInt64
  /// An enclave's registration holds this long.
  public var attestationLifetime: Span
  /// The nonce of evidence is the hash of an ancestor block fewer than this many blocks old.
  public var attestationNonceAge: UInt64
  /// Regulators that must approve what they order together.
  public var regulatorThreshold: UInt64
  /// The longest that regulators may freeze one activation's settlement, all freezes together.
  public var maximumFreeze: Span
  /// Whether members suspend whom the ledger convicts, at the next era.
  public var suspendsConvicted: Bool

  public init(
    heartbeat: Span, timeoutFloor: Span, timeoutCap: Span, maximumBehind: Span, maximumAhead: Span,
    blockTransactions: UInt64, senderQuota: UInt64, expiriesPerBlock: UInt64, attestationLifetime: Span,
    attestationNonceAge: UInt64, regulatorThreshold: UInt64 = 2, maximumFreeze: Span = .seconds(86_400),
    suspendsConvicted: Bool = true
  ) {
    self.heartbeat = heartbeat
    self.timeoutFloor = timeoutFloor
    self.timeoutCap = timeoutCap
    self.maximumBehind = maximumBehind
    self.maximumAhead = maximumAhead
    self.blockTransactions = blockTransactions
    self.senderQuota = senderQuota
    self.expiriesPerBlock = expiriesPerBlock
    self.attestationLifetime = attestationLifetime
    self.attestationNonceAge = attestationNonceAge
    self.regulatorThreshold = regulatorThreshold
    self.maximumFreeze = maximumFreeze
    self.suspendsConvicted = suspendsConvicted
  }

  public static let standard = NetworkParameters(
    heartbeat: .seconds(2), timeoutFloor: .milliseconds(250), timeoutCap: .seconds(30), maximumBehind: .seconds(60),
    maximumAhead: .seconds(2), blockTransactions: 1024, senderQuota: 256, expiriesPerBlock: 256,
    attestationLifetime: .seconds(86_400), attestationNonceAge: 64)

  public func encode(to writer: inout CBORWriter) {
    writer.array(13)
    writer.write(heartbeat)
    writer.write(timeoutFloor)
    writer.write(timeoutCap)
    writer.write(maximumBehind)
    writer.write(maximumAhead)
    writer.write(blockTransactions)
    writer.write(senderQuota)
    writer.write(expiriesPerBlock)
    writer.write(attestationLifetime)
    writer.write(attestationNonceAge)
    writer.write(regulatorThreshold)
    writer.write(maximumFreeze)
    writer.write(suspendsConvicted)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(13) { (reader) throws(WireError) in
      NetworkParameters(
        heartbeat: try reader.value(), timeoutFloor: try reader.value(), timeoutCap: try reader.value(),
        maximumBehind: try reader.value(), maximumAhead: try reader.value(), blockTransactions: try reader.uint(),
        senderQuota: try reader.uint(), expiriesPerBlock: try reader.uint(), attestationLifetime: try reader.value(),
        attestationNonceAge: try reader.uint(), regulatorThreshold: try reader.uint(),
        maximumFreeze: try reader.value(), suspendsConvicted: try reader.bool())
    }
  }
}
