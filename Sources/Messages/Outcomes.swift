import Signing
import Wire

/// What became of one transaction. A refused transaction stands in the block with its code and costs nothing.
public enum TransactionResult: UInt8, Sendable, CaseIterable, WireCodable {
  case accepted = 0
  /// The action makes no sense in itself, or names something impossible (CAMARA INVALID_ARGUMENT).
  case invalidArgument = 1
  /// A number or time outside the contract's or the network's bounds (OUT_OF_RANGE).
  case outOfRange = 2
  /// The signer's key or organisation may not do this (PERMISSION_DENIED).
  case permissionDenied = 3
  /// The contract, activation, enclave or organisation named does not exist (NOT_FOUND).
  case notFound = 4
  /// The activation's or contract's state does not allow it (CONFLICT, failed precondition).
  case failedPrecondition = 5
  /// Something of that identity exists already (ALREADY_EXISTS).
  case alreadyExists = 6
  /// AJIT.ESCROW_INSUFFICIENT: the customer's balance does not cover E.
  case escrowInsufficient = 7
  /// AJIT.BOND_INSUFFICIENT: the operator's balance does not cover B.
  case bondInsufficient = 8
  /// AJIT.ATTESTATION_REJECTED: evidence or enclave key not acceptable.
  case attestationRejected = 9
  /// AJIT.REPLAYED: this nonce was used, or the transaction has expired.
  case replayed = 10
  /// AJIT.RECEIPT_MISMATCH: the record's signatures, numbers or activation do not fit.
  case receiptMismatch = 11
  /// AJIT.DEADLINE_PASSED
  case deadlinePassed = 12
  /// AJIT.ALREADY_SETTLED
  case alreadySettled = 13
  /// AJIT.SERVICEAREA_NOT_SUPPORTED
  case serviceAreaNotSupported = 14

  /// The code as users see it, CAMARA's spelling.
  public var name: String {
    switch self {
    case .accepted: "ACCEPTED"
    case .invalidArgument: "INVALID_ARGUMENT"
    case .outOfRange: "OUT_OF_RANGE"
    case .permissionDenied: "PERMISSION_DENIED"
    case .notFound: "NOT_FOUND"
    case .failedPrecondition: "FAILED_PRECONDITION"
    case .alreadyExists: "ALREADY_EXISTS"
    case .escrowInsufficient: "AJIT.ESCROW_INSUFFICIENT"
    case .bondInsufficient: "AJIT.BOND_INSUFFICIENT"
    case .attestationRejected: "AJIT.ATTESTATION_REJECTED"
    case .replayed: "AJIT.REPLAYED"
    case .receiptMismatch: "AJIT.RECEIPT_MISMATCH"
    case .deadlinePassed: "AJIT.DEADLINE_PASSED"
    case .alreadySettled: "AJIT.ALREADY_SETTLED"
    case .serviceAreaNotSupported: "AJIT.SERVICEAREA_NOT_SUPPORTED"
    }
  }
}

/// The states of an activation (sla.md, "The activation"). ACTIVATED is RESERVED whose start has come: a function of
/// the record and the chain's clock.
public enum ActivationState: UInt8, Sendable, CaseIterable, WireCodable {
  case requested = 1
  case reserved = 2
  case activated = 3
  case closing = 4
  case nullified = 5
  case settled = 6

  public var isFinal: Bool { self == .nullified || self == .settled }

  public var name: String {
    switch self {
    case .requested: "REQUESTED"
    case .reserved: "RESERVED"
    case .activated: "ACTIVATED"
    case .closing: "CLOSING"
    case .nullified: "NULLIFIED"
    case .settled: "SETTLED"
    }
  }
}

/// Why an activation ended or is ending (CAMARA QoD statusInfo, and AJIT's own).
public enum StatusInfo: UInt8, Sendable, CaseIterable, WireCodable {
  case durationExpired = 1
  case deleteRequested = 2
  case networkTerminated = 3
  case receiptWithheld = 4
  case serviceWithheld = 5
  /// NULLIFIED: the controller found no slice.
  case sliceRejected = 6
  /// NULLIFIED: no ConfirmSlice before `confirmBy`.
  case confirmationExpired = 7

  public var name: String {
    switch self {
    case .durationExpired: "DURATION_EXPIRED"
    case .deleteRequested: "DELETE_REQUESTED"
    case .networkTerminated: "NETWORK_TERMINATED"
    case .receiptWithheld: "RECEIPT_WITHHELD"
    case .serviceWithheld: "SERVICE_WITHHELD"
    case .sliceRejected: "SLICE_REJECTED"
    case .confirmationExpired: "CONFIRMATION_EXPIRED"
    }
  }
}

/// How a SETTLED activation was settled.
public enum SettlementKind: UInt8, Sendable, CaseIterable, WireCodable {
  case agreed = 1
  case unilateral = 2
  case disputed = 3
  case expired = 4

  public var name: String { "\(self)".uppercased() }
}

/// The money of one activation so far. All of it is zero-sum between escrow, bond and the two balances.
public struct ActivationMoney: Hashable, Sendable, WireCodable {
  /// E, locked from the customer's balance at Activate.
  public var escrow: Amount = 0
  /// B, locked from the operator's balance at ConfirmSlice.
  public var bond: Amount = 0
  /// From the escrow to the operator.
  public var paid: Amount = 0
  /// From the escrow back to the customer.
  public var refunded: Amount = 0
  /// From the bond to the customer.
  public var penalty: Amount = 0

  public init() {}

  public init(escrow: Amount, bond: Amount, paid: Amount, refunded: Amount, penalty: Amount) {
    self.escrow = escrow
    self.bond = bond
    self.paid = paid
    self.refunded = refunded
    self.penalty = penalty
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(5)
    for amount in [escrow, bond, paid, refunded, penalty] { writer.write(amount) }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(5) { (reader) throws(WireError) in
      ActivationMoney(
        escrow: try reader.uint(), bond: try reader.uint(), paid: try reader.uint(), refunded: try reader.uint(),
        penalty: try reader.uint())
    }
  }
}

/// An activation changed state: what followers need and cannot read from the transaction itself.
public struct ActivationChange: Hashable, Sendable, WireCodable {
  public var activation: ActivationID
  /// As stored: RESERVED also stands for ACTIVATED.
  public var state: ActivationState
  public var statusInfo: StatusInfo?
  public var settlement: SettlementKind?
  public var money: ActivationMoney
  /// Epochs that records may cover: all that are booked, fewer after an end before that.
  public var epochs: UInt64
  /// When service ends, in block time; nil before ConfirmSlice.
  public var endsAt: Instant?
  /// First epoch of the latest segment: where an Extend or Renegotiate took effect.
  public var segmentFrom: EpochNumber
  /// When the next open demand runs out, on the chain's clock; nil while none waits.
  public var answerBy: Instant?
  /// The latest epoch whose record the ledger computed itself.
  public var posted: EpochNumber?

  public init(
    activation: ActivationID, state: ActivationState, statusInfo: StatusInfo?, settlement: SettlementKind?,
    money: ActivationMoney, epochs: UInt64, endsAt: Instant? = nil, segmentFrom: EpochNumber = 0,
    answerBy: Instant? = nil, posted: EpochNumber? = nil
  ) {
    self.activation = activation
    self.state = state
    self.statusInfo = statusInfo
    self.settlement = settlement
    self.money = money
    self.epochs = epochs
    self.endsAt = endsAt
    self.segmentFrom = segmentFrom
    self.answerBy = answerBy
    self.posted = posted
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(10)
    writer.write(activation)
    writer.write(state)
    writer.write(optional: statusInfo)
    writer.write(optional: settlement)
    writer.write(money)
    writer.write(epochs)
    writer.write(optional: endsAt)
    writer.write(segmentFrom)
    writer.write(optional: answerBy)
    writer.write(optional: posted)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(10) { (reader) throws(WireError) in
      ActivationChange(
        activation: try reader.value(), state: try reader.value(), statusInfo: try reader.optional(),
        settlement: try reader.optional(), money: try reader.value(), epochs: try reader.uint(),
        endsAt: try reader.optional(), segmentFrom: try reader.uint(), answerBy: try reader.optional(),
        posted: try reader.optional())
    }
  }
}

/// What happened in a block besides the transactions' own results, in order. On the wire `[number, value]`.
public enum LedgerEvent: Hashable, Sendable, WireCodable {
  /// By a transaction or by a deadline.
  case activationChanged(ActivationChange)
  /// A receipt key's attestation was appraised and holds until the instant named.
  case enclaveRegistered(key: PublicKey, owner: OrganisationID, expires: Instant)
  /// Evidence against a member is complete: it is convicted, whoever reported it.
  case memberConvicted(Conviction)
  /// What regulators ordered together took effect; the digest is the order's.
  case measureTaken(Digest, RegulatorMeasure)
  /// This block is the last of its era: the next one's members are these.
  case eraEnds(next: EraRecord)

  public func encode(to writer: inout CBORWriter) {
    switch self {
    case .activationChanged(let change):
      writer.array(2)
      writer.write(UInt64(1))
      writer.write(change)
    case .enclaveRegistered(let key, let owner, let expires):
      writer.array(4)
      writer.write(UInt64(2))
      writer.write(key)
      writer.write(owner)
      writer.write(expires)
    case .memberConvicted(let conviction):
      writer.array(2)
      writer.write(UInt64(4))
      writer.write(conviction)
    case .measureTaken(let order, let measure):
      writer.array(3)
      writer.write(UInt64(5))
      writer.write(order)
      writer.write(measure)
    case .eraEnds(let next):
      writer.array(2)
      writer.write(UInt64(3))
      writer.write(next)
    }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.array(maximum: 8) { (reader, count) throws(WireError) in
      switch (try reader.uint(), count) {
      case (1, 2): return .activationChanged(try reader.value())
      case (2, 4):
        return .enclaveRegistered(
          key: try reader.value(), owner: try reader.value(), expires: try reader.value())
      case (3, 2): return .eraEnds(next: try reader.value())
      case (4, 2): return .memberConvicted(try reader.value())
      case (5, 3): return .measureTaken(try reader.value(), try reader.value())
      default: throw .invalidValue(field: "ledger event")
      }
    }
  }
}
