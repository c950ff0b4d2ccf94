import Signing
import Wire

/// A transaction as its author signed it, together with what the bytes say. Decoded once, strictly; forwarded and
/// stored as the envelope, verbatim.
public struct SignedTransaction: Hashable, Sendable {
  public let envelope: Envelope
  public let transaction: Transaction
  /// Who signed: transactions always name their signer.
  public let signer: PublicKey
  /// SHA-256 of the envelope: the transaction's name, and the activation's for an Activate.
  public let id: Digest

  /// - Throws: when the envelope is of another kind, names no signer, or its payload is not one canonical transaction.
  public init(_ envelope: Envelope) throws(WireError) {
    guard let signer = envelope.signer else { throw .invalidValue(field: "transaction signer") }
    transaction = try envelope.decode(Transaction.self)
    self.signer = signer
    self.envelope = envelope
    id = envelope.digest
  }

  public init(signing transaction: Transaction, with key: SigningKey, network: Digest) {
    self.transaction = transaction
    signer = key.publicKey
    envelope = Envelope(signing: transaction, with: key, network: network)
    id = envelope.digest
  }

  public static func == (left: SignedTransaction, right: SignedTransaction) -> Bool { left.id == right.id }
  public func hash(into hasher: inout Hasher) { hasher.combine(id) }
}

extension SignedTransaction: WireCodable {
  public func encode(to writer: inout CBORWriter) { envelope.encode(to: &writer) }
  public init(from reader: inout CBORReader) throws(WireError) { try self.init(Envelope(from: &reader)) }
}

extension SignedTransaction: Verifiable {
  /// The author's signature and those of every envelope inside, each under the signer that it names itself. Whether
  /// that signer is the right one is for the ledger to say.
  public func signatureChecks(in context: VerificationContext) throws(VerificationError) -> [SignatureCheck] {
    var checks = [try Self.check(envelope, MessageKind.transaction, in: context)]
    for (nested, kind) in transaction.action.nestedEnvelopes {
      checks.append(try Self.check(nested, kind, in: context))
    }
    // Votes and certificates are signed by members of an era, who are known by their numbers.
    if case .reportEvidence(let evidence) = transaction.action { checks += try evidence.signatureChecks(in: context) }
    return checks
  }

  private static func check(
    _ envelope: Envelope, _ kind: UInt16, in context: VerificationContext
  ) throws(VerificationError) -> SignatureCheck {
    guard envelope.kind == kind else {
      throw .unexpected("an envelope of kind \(envelope.kind) where kind \(kind) belongs")
    }
    guard let check = envelope.check(network: context.network) else {
      throw .unexpected("an envelope of kind \(kind) that names no signer")
    }
    return check
  }
}

extension Action {
  /// The signed statements this action carries, and the kind each must be of.
  var nestedEnvelopes: [(Envelope, kind: UInt16)] {
    switch self {
    case .registerEnclave(let evidence):
      [(evidence, MessageKind.attestationEvidence)]
    case .activate(let order):
      order.consent.map { [($0, MessageKind.activationConsent)] } ?? []
    case .settleAgreed(let byCustomer, let byOperator):
      [(byCustomer, MessageKind.settlementAgreement), (byOperator, MessageKind.settlementAgreement)]
    case .extend(let byCustomer, let byOperator), .renegotiate(let byCustomer, let byOperator):
      [(byCustomer, MessageKind.segmentOrder), (byOperator, MessageKind.segmentOrder)]
    case .settleByRecord(_, let record):
      record.nestedEnvelopes
    case .startService(let proof):
      proof.receipts.nestedEnvelopes + proof.record.nestedEnvelopes
    case .demandRecord(let demand):
      demand.base.nestedEnvelopes
        + [demand.commitment, demand.other].compactMap { $0 }.map { ($0, MessageKind.commitment) }
    case .postRecord(let post):
      [(post.commitment, MessageKind.commitment)] + post.receipts.nestedEnvelopes
    case .dispute(let dispute):
      dispute.grounds.nestedEnvelopes
    case .changeMembers(let approvals):
      approvals.map { ($0, MessageKind.memberChange) }
    case .regulatorAction(let approvals):
      approvals.map { ($0, MessageKind.regulatorApproval) }
    case .rotateKey(let consent):
      [(consent, MessageKind.keyRotation)]
    case .enrol, .deployContract, .setContractStatus, .transfer, .confirmSlice, .rejectSlice, .terminate,
      .demandService, .announceMaintenance, .handOver, .proveReady, .reportEvidence:
      []
    }
  }
}

extension DisputeCase {
  fileprivate var nestedEnvelopes: [(Envelope, kind: UInt16)] {
    switch self {
    case .recompute(let base, let customer, let networkOperator):
      base.nestedEnvelopes + customer.nestedEnvelopes + networkOperator.nestedEnvelopes
    case .contradiction(let first, let second):
      // Receipts, commitments and records can contradict each other; any other kind fails its check.
      [first, second].map { ($0, Self.contradictable.contains($0.kind) ? $0.kind : MessageKind.receipt) }
    }
  }

  private static let contradictable = [MessageKind.receipt, MessageKind.commitment, MessageKind.jointRecord]
}

extension ReceiptSet {
  fileprivate var nestedEnvelopes: [(Envelope, kind: UInt16)] { receipts.map { ($0, MessageKind.receipt) } }
}

extension SignedRecord? {
  fileprivate var nestedEnvelopes: [(Envelope, kind: UInt16)] {
    map { [($0.byEnclave, MessageKind.jointRecord), ($0.byEdge, MessageKind.jointRecord)] } ?? []
  }
}

extension AccountBase? {
  fileprivate var nestedEnvelopes: [(Envelope, kind: UInt16)] { (self?.record).nestedEnvelopes }
}
