import Messages
import Signing
import Wire

/// An organisation's account.
public struct AccountRecord: Hashable, Sendable, WireCodable {
  public let id: OrganisationID
  public let name: String
  public let kind: Organisation.Kind
  public internal(set) var balance: Amount
  /// Keys it has enrolled.
  public internal(set) var keys: UInt64

  init(id: OrganisationID, name: String, kind: Organisation.Kind, balance: Amount) {
    self.id = id
    self.name = name
    self.kind = kind
    self.balance = balance
    keys = 0
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(5)
    writer.write(id)
    writer.write(name)
    writer.write(kind)
    writer.write(balance)
    writer.write(keys)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    (id, name, kind, balance, keys) = try reader.record(5) { (reader) throws(WireError) in
      (
        try reader.value(), try reader.text(maximum: ActorAddress.maximumNameBytes), try reader.value(),
        try reader.uint(), try reader.uint()
      )
    }
  }
}

/// Whose a role key is and what it may do.
public struct RoleRecord: Hashable, Sendable, WireCodable {
  public let organisation: OrganisationID
  public let role: KeyRole

  init(organisation: OrganisationID, role: KeyRole) {
    self.organisation = organisation
    self.role = role
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(organisation)
    writer.write(role)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    (organisation, role) = try reader.record(2) { (reader) throws(WireError) in
      (try reader.value(), try reader.value())
    }
  }
}

/// An offer on the ledger.
public struct ContractRecord: Hashable, Sendable, WireCodable {
  public let terms: ContractTerms
  /// As its operator wants it.
  public internal(set) var status: ContractStatus
  public let deployedAt: Height
  /// The regulators' order that suspends it; nil: none does.
  public internal(set) var suspendedBy: Digest?

  /// Whether it takes new activations.
  public var isOpen: Bool { status == .active && suspendedBy == nil }

  init(terms: ContractTerms, status: ContractStatus, deployedAt: Height) {
    self.terms = terms
    self.status = status
    self.deployedAt = deployedAt
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(4)
    writer.write(terms)
    writer.write(status)
    writer.write(deployedAt)
    writer.write(optional: suspendedBy)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    (terms, status, deployedAt, suspendedBy) = try reader.record(4) { (reader) throws(WireError) in
      (try reader.value(), try reader.value(), try reader.uint(), try reader.optional())
    }
  }
}

/// What an operator announced, in order of announcement; what is over leaves with the next announcement.
public struct MaintenanceRecord: Hashable, Sendable, WireCodable {
  public internal(set) var announced: [AnnouncedMaintenance]

  init(announced: [AnnouncedMaintenance]) { self.announced = announced }

  public func encode(to writer: inout CBORWriter) {
    writer.array(1)
    writer.write(list: announced)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    announced = try reader.record(1) { (reader) throws(WireError) in
      try reader.list(maximum: ActivationLimits.maintenanceWindows)
    }
  }
}

/// An attested receipt key. Leaves the state when its attestation expires.
public struct EnclaveRecord: Hashable, Sendable, WireCodable {
  public let owner: OrganisationID
  /// The platform key that signed the evidence.
  public let platform: PublicKey
  public let measurement: Digest
  public let level: AttestationLevel
  public let bootCount: UInt64
  /// On the chain's clock.
  public let expires: Instant

  init(
    owner: OrganisationID, platform: PublicKey, measurement: Digest, level: AttestationLevel, bootCount: UInt64,
    expires: Instant
  ) {
    self.owner = owner
    self.platform = platform
    self.measurement = measurement
    self.level = level
    self.bootCount = bootCount
    self.expires = expires
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(6)
    writer.write(owner)
    writer.write(platform)
    writer.write(measurement)
    writer.write(level)
    writer.write(bootCount)
    writer.write(expires)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    (owner, platform, measurement, level, bootCount, expires) = try reader.record(6) { (reader) throws(WireError) in
      (
        try reader.value(), try reader.value(), try reader.value(), try reader.value(), try reader.uint(),
        try reader.value()
      )
    }
  }
}

/// What the state remembers of an activation that ended, as long as a transaction made before its end could still
/// arrive (``Transaction/maximumLifetime``): such a one is answered ALREADY_SETTLED instead of NOT_FOUND.
public struct EndedRecord: Hashable, Sendable, WireCodable {
  public let state: ActivationState
  /// Its position in the log of ended activations.
  public let leafIndex: UInt64

  init(state: ActivationState, leafIndex: UInt64) {
    self.state = state
    self.leafIndex = leafIndex
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(state)
    writer.write(leafIndex)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    (state, leafIndex) = try reader.record(2) { (reader) throws(WireError) in
      (try reader.value(), try reader.uint())
    }
  }
}
