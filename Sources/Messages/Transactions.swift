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
  /// Heights between what a customer knows of the ledger and the expiry of its Activate: the expiry says up to which
  /// announcement of maintenance it is bound (``AnnouncedMaintenance``). Leaders pace a busy ledger to one block in
  /// 25 ms, so an order has 25 s at the least to get into a block, and on an idle ledger long enough for anything.
  public static let orderLifetime: Height = 1_000

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
/// Numbers 30–39 are the network's own affairs: members, keys, evidence, regulators.
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
  /// More epochs under the same contract: both parties' signed ``SegmentOrder``; anyone may carry it.
  case extend(byCustomer: Envelope, byOperator: Envelope)
  /// Another contract of the operator from the next possible epoch on: both parties' signed ``SegmentOrder``.
  case renegotiate(byCustomer: Envelope, byOperator: Envelope)
  /// By the customer, soon after the start: "serve, or lose fee, price and penalty".
  case demandService(ActivationID)
  /// By the operator's controller, in answer.
  case startService(ServiceProof)
  /// Either side: "open your receipts of this epoch".
  case demandRecord(RecordDemand)
  /// In answer, by the side demanded of; then by the demander.
  case postRecord(RecordPost)
  /// Either side, inside CLOSING.
  case dispute(Dispute)
  /// By an operator's controller.
  case announceMaintenance(Maintenance)
  /// By the operator's controller.
  case handOver(SliceHandover)
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
  /// What convicts a member; by anyone enrolled.
  case reportEvidence(ConsensusEvidence)
  /// One ``RegulatorOrder``, signed by as many regulators as the network asks for; by a regulator.
  case regulatorAction(approvals: [Envelope])
  /// One ``MemberChange``, signed by a quorum of members that do not leave by it; anyone may carry it.
  case changeMembers(approvals: [Envelope])
  /// By the member's old key, with the new key's ``KeyRotation``.
  case rotateKey(Envelope)
  /// By the key of a member that is to join: it has executed the chain up to this block, a late one.
  case proveReady(block: Digest)

  public var number: UInt8 {
    switch self {
    case .enrol: 1
    case .deployContract: 2
    case .setContractStatus: 3
    case .registerEnclave: 4
    case .transfer: 5
    case .extend: 10
    case .renegotiate: 11
    case .demandService: 12
    case .startService: 13
    case .demandRecord: 14
    case .postRecord: 15
    case .dispute: 16
    case .announceMaintenance: 17
    case .handOver: 18
    case .activate: 20
    case .confirmSlice: 21
    case .rejectSlice: 22
    case .terminate: 23
    case .settleAgreed: 24
    case .settleByRecord: 25
    case .reportEvidence: 30
    case .changeMembers: 31
    case .rotateKey: 32
    case .regulatorAction: 33
    case .proveReady: 35
    }
  }

  public func encode(to writer: inout CBORWriter) {
    func head(_ fields: Int) {
      writer.array(fields + 1)
      writer.write(UInt64(number))
    }
    func single(_ field: some WireCodable) {
      head(1)
      writer.write(field)
    }
    switch self {
    case .enrol(let enrolment): single(enrolment)
    case .deployContract(let terms): single(terms)
    case .setContractStatus(let contract, let status):
      head(2)
      writer.write(contract)
      writer.write(status)
    case .registerEnclave(let evidence): single(evidence)
    case .transfer(let receiver, let amount):
      head(2)
      writer.write(receiver)
      writer.write(amount)
    case .extend(let byCustomer, let byOperator):
      head(2)
      writer.write(byCustomer)
      writer.write(byOperator)
    case .renegotiate(let byCustomer, let byOperator):
      head(2)
      writer.write(byCustomer)
      writer.write(byOperator)
    case .demandService(let activation): single(activation)
    case .startService(let proof): single(proof)
    case .demandRecord(let demand): single(demand)
    case .postRecord(let post): single(post)
    case .dispute(let dispute): single(dispute)
    case .announceMaintenance(let maintenance): single(maintenance)
    case .handOver(let handover): single(handover)
    case .activate(let order): single(order)
    case .confirmSlice(let confirmation): single(confirmation)
    case .rejectSlice(let rejection): single(rejection)
    case .terminate(let activation): single(activation)
    case .settleAgreed(let byCustomer, let byOperator):
      head(2)
      writer.write(byCustomer)
      writer.write(byOperator)
    case .settleByRecord(let activation, let record):
      head(2)
      writer.write(activation)
      writer.write(optional: record)
    case .reportEvidence(let evidence): single(evidence)
    case .changeMembers(let approvals), .regulatorAction(let approvals):
      head(1)
      writer.write(list: approvals)
    case .rotateKey(let consent): single(consent)
    case .proveReady(let block): single(block)
    }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.array(maximum: 8) { (reader, count) throws(WireError) in
      let number = try reader.uint()
      guard let fields = Self.fieldCount(of: number), count == fields + 1 else {
        throw .invalidValue(field: "action \(number)")
      }
      switch number {
      case 1: return .enrol(try reader.value())
      case 2: return .deployContract(try reader.value())
      case 3: return .setContractStatus(try reader.value(), try reader.value())
      case 4: return .registerEnclave(try reader.value())
      case 5: return .transfer(to: try reader.value(), amount: try reader.uint())
      case 10: return .extend(byCustomer: try reader.value(), byOperator: try reader.value())
      case 11: return .renegotiate(byCustomer: try reader.value(), byOperator: try reader.value())
      case 12: return .demandService(try reader.value())
      case 13: return .startService(try reader.value())
      case 14: return .demandRecord(try reader.value())
      case 15: return .postRecord(try reader.value())
      case 16: return .dispute(try reader.value())
      case 17: return .announceMaintenance(try reader.value())
      case 18: return .handOver(try reader.value())
      case 20: return .activate(try reader.value())
      case 21: return .confirmSlice(try reader.value())
      case 22: return .rejectSlice(try reader.value())
      case 23: return .terminate(try reader.value())
      case 24: return .settleAgreed(byCustomer: try reader.value(), byOperator: try reader.value())
      case 25: return .settleByRecord(try reader.value(), try reader.optional())
      case 30: return .reportEvidence(try reader.value())
      case 31: return .changeMembers(approvals: try reader.list(maximum: Genesis.maximumMembers))
      case 32: return .rotateKey(try reader.value())
      case 33: return .regulatorAction(approvals: try reader.list(maximum: Genesis.maximumMembers))
      case 35: return .proveReady(block: try reader.value())
      default: throw .invalidValue(field: "action number")
      }
    }
  }

  private static func fieldCount(of number: UInt64) -> Int? {
    switch number {
    case 1, 2, 4, 12, 13, 14, 15, 16, 17, 18, 20, 21, 22, 23, 30, 31, 32, 33, 35: 1
    case 3, 5, 10, 11, 24, 25: 2
    default: nil
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
  /// Who the flow talks to, one of the contract's allowed peers: an operator-side endpoint, or the organisation that
  /// owns the far enclave.
  public var peer: String
  /// Attested receipt keys of the enclaves whose receipts count: the payer's at the near end and, in a flow between
  /// two customers, the peer's at the far end.
  public var enclaves: [PublicKey]
  /// Serving cell of the far enclave; nil without one.
  public var peerCell: String?
  /// The far enclave's owner countersigns (``ActivationConsent``), unless that is the payer as well.
  public var consent: Envelope?

  public static let maximumEnclaves = 2

  public init(
    contract: ContractID, epochs: UInt64, earliestStart: Instant, latestStart: Instant, cell: String, peer: String,
    enclaves: [PublicKey], peerCell: String? = nil, consent: Envelope? = nil
  ) {
    self.contract = contract
    self.epochs = epochs
    self.earliestStart = earliestStart
    self.latestStart = latestStart
    self.cell = cell
    self.peer = peer
    self.enclaves = enclaves
    self.peerCell = peerCell
    self.consent = consent
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(9)
    writer.write(contract)
    writer.write(epochs)
    writer.write(earliestStart)
    writer.write(latestStart)
    writer.write(cell)
    writer.write(peer)
    writer.write(list: enclaves)
    writer.write(optional: peerCell)
    writer.write(optional: consent)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(9) { (reader) throws(WireError) in
      ActivationOrder(
        contract: try reader.value(), epochs: try reader.uint(), earliestStart: try reader.value(),
        latestStart: try reader.value(), cell: try reader.text(maximum: ServiceTerms.maximumNameBytes),
        peer: try reader.text(maximum: ServiceTerms.maximumNameBytes),
        enclaves: try reader.list(maximum: Self.maximumEnclaves),
        peerCell: reader.takeNull() ? nil : try reader.text(maximum: ServiceTerms.maximumNameBytes),
        consent: try reader.optional())
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
  /// Enrolled key of the edge monitor that serves the near end. It signs the operator's side of every record, also
  /// after a handover: the flow's anchor, as the user-plane anchor of 3GPP TS 23.501 §5.6.9 (SSC mode 1).
  public var edge: PublicKey
  /// Of the one that serves the far end; nil for a flow that ends at the operator's endpoint. May be the same.
  public var peerEdge: PublicKey?

  public init(
    activation: ActivationID, planHash: Digest, startAt: Instant, edge: PublicKey, peerEdge: PublicKey? = nil
  ) {
    self.activation = activation
    self.planHash = planHash
    self.startAt = startAt
    self.edge = edge
    self.peerEdge = peerEdge
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(5)
    writer.write(activation)
    writer.write(planHash)
    writer.write(startAt)
    writer.write(edge)
    writer.write(optional: peerEdge)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(5) { (reader) throws(WireError) in
      SliceConfirmation(
        activation: try reader.value(), planHash: try reader.value(), startAt: try reader.value(),
        edge: try reader.value(), peerEdge: try reader.optional())
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
