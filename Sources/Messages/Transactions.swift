import Signing
import Wire

/// Something that a key asks of the ledger. The signer is the envelope's key; what it may do is the role under which
/// the ledger knows that key.
public struct Transaction: Hashable, SignedPayload {
  public static let kind = MessageKind.transaction

  /// Any number this sender has not used in a transaction that has not expired.
  public var nonce: UInt64
  /// Last height at which it may stand in a block; at most ``maximumLifetime`` above the chain's height.
  public var expiry: Height
  public var action: Action

  /// Heights between now and an expiry at most: nonces are remembered that long.
  public static let maximumLifetime: Height = 10_000

  public init(nonce: UInt64, expiry: Height, action: Action) {
    self.nonce = nonce
    self.expiry = expiry
    self.action = action
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(3)
    writer.write(nonce)
    writer.write(expiry)
    writer.write(action)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(3) { (reader) throws(WireError) in
      Transaction(nonce: try reader.uint(), expiry: try reader.uint(), action: try reader.value())
    }
  }
}

/// Every transaction there is; the rows of sla.md's table plus administration. On the wire `[number, fields…]`.
/// Numbers 10–19 and 30–39 are kept free for the transactions that complete the table (DemandService, StartService,
/// DemandRecord, PostRecord, Extend, Renegotiate, Dispute, AnnounceMaintenance; RegulatorAction, Evidence, RotateKey,
/// ChangeMembers).
public enum Action: Hashable, Sendable, WireCodable {
  /// An organisation puts one of its role keys on the ledger. By the organisation's key.
  case enrol(Enrolment)
  /// By an operator's controller.
  case deployContract(ContractTerms)
  /// By the deploying operator's controller. Gates new activations only.
  case setContractStatus(ContractID, ContractStatus)
  /// The evidence (an EAT in COSE_Sign1) for a receipt key; by a customer's device or treasury key, or an operator's
  /// controller.
  case registerEnclave(Envelope)
  case transfer(to: OrganisationID, amount: Amount)
  /// By the paying customer.
  case activate(ActivationOrder)
  /// By the operator's controller.
  case confirmSlice(SliceConfirmation)
  /// By the operator's controller.
  case rejectSlice(SliceRejection)
  /// By the customer or the operator's controller.
  case terminate(ActivationID)
  /// Both parties' signed agreement; anyone may carry it.
  case settleAgreed(byCustomer: Envelope, byOperator: Envelope)
  /// One side, or anyone who holds the last signed record: opens CLOSING, or replaces it by a record of a higher epoch.
  case settleByRecord(ActivationID, SignedRecord?)

  public var number: UInt8 {
    switch self {
    case .enrol: 1
    case .deployContract: 2
    case .setContractStatus: 3
    case .registerEnclave: 4
    case .transfer: 5
    case .activate: 20
    case .confirmSlice: 21
    case .rejectSlice: 22
    case .terminate: 23
    case .settleAgreed: 24
    case .settleByRecord: 25
    }
  }

  public func encode(to writer: inout CBORWriter) {
    func head(_ fields: Int) {
      writer.array(fields + 1)
      writer.write(UInt64(number))
    }
    switch self {
    case .enrol(let enrolment):
      head(1)
      writer.write(enrolment)
    case .deployContract(let terms):
      head(1)
      writer.write(terms)
    case .setContractStatus(let contract, let status):
      head(2)
      writer.write(contract)
      writer.write(status)
    case .registerEnclave(let evidence):
      head(1)
      writer.write(evidence)
    case .transfer(let receiver, let amount):
      head(2)
      writer.write(receiver)
      writer.write(amount)
    case .activate(let order):
      head(1)
      writer.write(order)
    case .confirmSlice(let confirmation):
      head(1)
      writer.write(confirmation)
    case .rejectSlice(let rejection):
      head(1)
      writer.write(rejection)
    case .terminate(let activation):
      head(1)
      writer.write(activation)
    case .settleAgreed(let byCustomer, let byOperator):
      head(2)
      writer.write(byCustomer)
      writer.write(byOperator)
    case .settleByRecord(let activation, let record):
      head(2)
      writer.write(activation)
      writer.write(optional: record)
    }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.array(maximum: 8) { (reader, count) throws(WireError) in
      let number = try reader.uint()
      func expect(_ fields: Int) throws(WireError) {
        guard count == fields + 1 else { throw .invalidValue(field: "action \(number): field count") }
      }
      switch number {
      case 1:
        try expect(1)
        return .enrol(try reader.value())
      case 2:
        try expect(1)
        return .deployContract(try reader.value())
      case 3:
        try expect(2)
        return .setContractStatus(try reader.value(), try reader.value())
      case 4:
        try expect(1)
        return .registerEnclave(try reader.value())
      case 5:
        try expect(2)
        return .transfer(to: try reader.value(), amount: try reader.uint())
      case 20:
        try expect(1)
        return .activate(try reader.value())
      case 21:
        try expect(1)
        return .confirmSlice(try reader.value())
      case 22:
        try expect(1)
        return .rejectSlice(try reader.value())
      case 23:
        try expect(1)
        return .terminate(try reader.value())
      case 24:
        try expect(2)
        return .settleAgreed(byCustomer: try reader.value(), byOperator: try reader.value())
      case 25:
        try expect(2)
        return .settleByRecord(try reader.value(), try reader.optional())
      default:
        throw .invalidValue(field: "action number")
      }
    }
  }
}

/// The roles under which the ledger knows keys.
public enum KeyRole: UInt8, Sendable, CaseIterable, WireCodable {
  /// Votes; set by the genesis.
  case validator = 1
  /// An operator's JIT controller.
  case controller = 2
  /// An operator's edge monitor: signs receipts and records.
  case edge = 3
  /// Moves the organisation's money: Activate, Transfer, Terminate, settlement agreements.
  case treasury = 4
  /// A customer's device: may register enclaves.
  case device = 5
}

public struct Enrolment: Hashable, Sendable, WireCodable {
  public var key: PublicKey
  public var role: KeyRole

  public init(key: PublicKey, role: KeyRole) {
    self.key = key
    self.role = role
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(key)
    writer.write(role)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      Enrolment(key: try reader.value(), role: try reader.value())
    }
  }
}

public enum ContractStatus: UInt8, Sendable, CaseIterable, WireCodable {
  case active = 1
  case inactive = 2
  /// For good.
  case deprecated = 3
}

/// Activate: "I want this, here, then; my money is locked."
public struct ActivationOrder: Hashable, Sendable, WireCodable {
  public var contract: ContractID
  public var epochs: UInt64
  public var earliestStart: Instant
  /// After this the order is refused, and a confirmation naming a later start is too.
  public var latestStart: Instant
  /// Serving cell, one of the contract's area.
  public var cell: String
  /// Who the flow talks to, one of the contract's allowed peers.
  public var peer: String
  /// Attested receipt keys of the enclaves whose receipts count, registered by the payer (in a two-customer flow by
  /// every owner, who countersigns).
  public var enclaves: [PublicKey]

  public static let maximumEnclaves = 8

  public init(
    contract: ContractID, epochs: UInt64, earliestStart: Instant, latestStart: Instant, cell: String, peer: String,
    enclaves: [PublicKey]
  ) {
    self.contract = contract
    self.epochs = epochs
    self.earliestStart = earliestStart
    self.latestStart = latestStart
    self.cell = cell
    self.peer = peer
    self.enclaves = enclaves
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(7)
    writer.write(contract)
    writer.write(epochs)
    writer.write(earliestStart)
    writer.write(latestStart)
    writer.write(cell)
    writer.write(peer)
    writer.write(list: enclaves)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(7) { (reader) throws(WireError) in
      ActivationOrder(
        contract: try reader.value(), epochs: try reader.uint(), earliestStart: try reader.value(),
        latestStart: try reader.value(), cell: try reader.text(maximum: ServiceTerms.maximumNameBytes),
        peer: try reader.text(maximum: ServiceTerms.maximumNameBytes),
        enclaves: try reader.list(maximum: Self.maximumEnclaves))
    }
  }
}

/// ConfirmSlice: "the slice exists from this moment on; my bond is locked."
public struct SliceConfirmation: Hashable, Sendable, WireCodable {
  public var activation: ActivationID
  /// Digest of the slice plan in the controller's database (opened only on a regulator's demand).
  public var planHash: Digest
  /// Epoch 0 begins here.
  public var startAt: Instant
  /// The edge monitor's enrolled key: whose receipts count for the operator.
  public var edge: PublicKey

  public init(activation: ActivationID, planHash: Digest, startAt: Instant, edge: PublicKey) {
    self.activation = activation
    self.planHash = planHash
    self.startAt = startAt
    self.edge = edge
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(4)
    writer.write(activation)
    writer.write(planHash)
    writer.write(startAt)
    writer.write(edge)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(4) { (reader) throws(WireError) in
      SliceConfirmation(
        activation: try reader.value(), planHash: try reader.value(), startAt: try reader.value(),
        edge: try reader.value())
    }
  }
}

/// RejectSlice: nullifies the activation (§3.2.1) and says what would have been possible.
public struct SliceRejection: Hashable, Sendable, WireCodable {
  public var activation: ActivationID
  public var reason: RejectionReason
  public var recommended: RecommendedRequirements?

  public init(activation: ActivationID, reason: RejectionReason, recommended: RecommendedRequirements?) {
    self.activation = activation
    self.reason = reason
    self.recommended = recommended
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(3)
    writer.write(activation)
    writer.write(reason)
    writer.write(optional: recommended)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(3) { (reader) throws(WireError) in
      SliceRejection(activation: try reader.value(), reason: try reader.value(), recommended: try reader.optional())
    }
  }
}

/// Why no slice could be stitched (3GPP TS 28.541 FeasibilityCheckAndReservationJob `inFeasibleReason`).
public enum RejectionReason: UInt8, Sendable, CaseIterable, WireCodable {
  case noRoute = 1
  case capacity = 2
  case delay = 3
  case loss = 4
  case networkFunctionMissing = 5
  case areaNotServed = 6
  case searchLimit = 7
  /// The operator declines for a reason of its own.
  case policy = 8
}

/// What would have been feasible at the time of asking (TS 28.541 `recommendedRequirements`).
public struct RecommendedRequirements: Hashable, Sendable, WireCodable {
  /// bit/s
  public var throughputUp: UInt64
  /// bit/s
  public var throughputDown: UInt64
  public var maximumDelay: Span
  public var from: Instant

  public init(throughputUp: UInt64, throughputDown: UInt64, maximumDelay: Span, from: Instant) {
    self.throughputUp = throughputUp
    self.throughputDown = throughputDown
    self.maximumDelay = maximumDelay
    self.from = from
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(4)
    writer.write(throughputUp)
    writer.write(throughputDown)
    writer.write(maximumDelay)
    writer.write(from)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(4) { (reader) throws(WireError) in
      RecommendedRequirements(
        throughputUp: try reader.uint(), throughputDown: try reader.uint(), maximumDelay: try reader.value(),
        from: try reader.value())
    }
  }
}
