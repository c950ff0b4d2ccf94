import Messages
import Signing

/// Why a transaction may not stand in the next block (consensus.md, rule 2). One that may can still be refused by the
/// state machine; it then stands in the block with its code.
public enum InclusionDefect: Hashable, Sendable {
  case signerNotEnrolled
  case nonceUsed
  case expired
  /// Its expiry lies more than ``Transaction/maximumLifetime`` ahead.
  case expiryTooFar
  /// The sender's organisation has as many in this block as it may.
  case overQuota
  /// No room left in this block for its kind.
  case blockFull

  /// What a submitter is told.
  public var result: TransactionResult {
    switch self {
    case .signerNotEnrolled: .permissionDenied
    case .nonceUsed, .expired: .replayed
    case .expiryTooFar: .outOfRange
    case .overQuota, .blockFull: .failedPrecondition
    }
  }
}

extension LedgerState {
  /// Whether a block on this state may carry the transaction, quota and room aside.
  public func isIncludable(_ transaction: SignedTransaction) -> Bool { inclusionDefect(of: transaction) == nil }

  /// Judged against the parent's state alone: a key enrolled in a block signs from the next one on.
  public func inclusionDefect(of signed: SignedTransaction) -> InclusionDefect? {
    let next = chain.height + 1
    let transaction = signed.transaction
    guard transaction.expiry >= next else { return .expired }
    guard transaction.expiry - next <= Transaction.maximumLifetime else { return .expiryTooFar }
    guard signer(signed.signer) != nil else { return .signerNotEnrolled }
    if case .nonce(let usedUntil)? = tree[LedgerKey.nonce(signed.signer, transaction.nonce)], usedUntil >= next {
      return .nonceUsed
    }
    return nil
  }

  /// The transactions of the next block, out of those that wait, in their order: as many as are includable, within
  /// quotas and room. Executing them on this state never finds the block invalid.
  public func select(from candidates: some Sequence<SignedTransaction>) -> [SignedTransaction] {
    var admission = BlockAdmission(on: self)
    var selected: [SignedTransaction] = []
    for candidate in candidates where admission.admit(candidate) == nil {
      selected.append(candidate)
      if admission.isFull { break }
    }
    return selected
  }
}

/// Lets transactions into one block. The proposer selects by it and every member checks by it, so a block that keeps
/// no room or breaks a quota is invalid, not merely impolite.
///
/// A quarter of the block, in transactions and in bytes, is kept for those that end an activation (Settle, Dispute,
/// Terminate) or answer a demand (StartService, PostRecord): one per activation, party and kind, outside the sender's
/// quota. So nobody can make a counterparty miss a deadline by filling blocks. The quota is the organisation's, because
/// keys cost nothing.
struct BlockAdmission {
  private let state: LedgerState
  private var transactions: UInt64 = 0
  private var ordinary: UInt64 = 0
  private var bytes = 0
  private var ordinaryBytes = 0
  private var perOrganisation: [OrganisationID: UInt64] = [:]
  private var keptPlaces: Set<KeptPlace> = []
  private var nonces: Set<Nonce> = []

  private struct KeptPlace: Hashable {
    let activation: ActivationID
    let party: OrganisationID
    let kind: UInt8
  }

  private struct Nonce: Hashable {
    let signer: PublicKey
    let nonce: UInt64
  }

  init(on state: LedgerState) { self.state = state }

  private var maximum: UInt64 { state.rules.parameters.blockTransactions }
  /// Rounded up, so that a block of one transaction can carry any.
  private var ordinaryMaximum: UInt64 { maximum - maximum / 4 }

  /// What is used of a block's room; stands in its outcomes.
  var room: BlockRoom {
    let quota = state.rules.parameters.senderQuota
    return BlockRoom(
      bytes: UInt64(bytes), ordinary: ordinary, ordinaryBytes: UInt64(ordinaryBytes),
      exhausted: perOrganisation.filter { $0.value >= quota }.map(\.key).sorted())
  }

  /// Whether a block that uses so much would have taken another transaction, in no kept place.
  static func hasOrdinaryRoom(for size: UInt64, in room: BlockRoom, transactions: UInt64, maximum: UInt64) -> Bool {
    transactions < maximum && room.ordinary < maximum - maximum / 4
      && room.bytes + size <= UInt64(LedgerLimits.blockBytes)
      && room.ordinaryBytes + size <= UInt64(LedgerLimits.blockBytes / 4 * 3)
  }

  var isFull: Bool { transactions >= maximum || bytes >= LedgerLimits.blockBytes }

  /// - Returns: why not; nil when the transaction is in.
  mutating func admit(_ signed: SignedTransaction) -> InclusionDefect? {
    if let defect = state.inclusionDefect(of: signed) { return defect }
    guard let party = state.signer(signed.signer)?.organisation else { return .signerNotEnrolled }
    let size = signed.envelope.bytes.count
    guard transactions < maximum, bytes + size <= LedgerLimits.blockBytes else { return .blockFull }
    let nonce = Nonce(signer: signed.signer, nonce: signed.transaction.nonce)
    guard !nonces.contains(nonce) else { return .nonceUsed }
    if let place = keptPlace(of: signed, by: party), keptPlaces.insert(place).inserted {
      // Outside of quota and ordinary room.
    } else {
      guard ordinary < ordinaryMaximum, ordinaryBytes + size <= LedgerLimits.blockBytes / 4 * 3 else {
        return .blockFull
      }
      let used = perOrganisation[party, default: 0]
      guard used < state.rules.parameters.senderQuota else { return .overQuota }
      perOrganisation[party] = used + 1
      ordinary += 1
      ordinaryBytes += size
    }
    nonces.insert(nonce)
    transactions += 1
    bytes += size
    return nil
  }

  private func keptPlace(of signed: SignedTransaction, by party: OrganisationID) -> KeptPlace? {
    let action = signed.transaction.action
    guard let id = action.urgentActivation, let activation = state.activation(id) else { return nil }
    guard party == activation.customer || party == activation.operatorID else { return nil }
    return KeptPlace(activation: id, party: party, kind: action.number)
  }
}

extension Action {
  /// The activation that this action would end or settle, or in which it answers a demand.
  public var urgentActivation: ActivationID? {
    switch self {
    case .terminate(let id), .settleByRecord(let id, _): id
    case .settleAgreed(let byCustomer, _): try? byCustomer.decode(SettlementAgreement.self).activation
    case .startService(let proof): proof.activation
    case .postRecord(let post): post.activation
    case .dispute(let dispute): dispute.activation
    case .enrol, .deployContract, .setContractStatus, .registerEnclave, .transfer, .activate, .confirmSlice,
      .rejectSlice, .extend, .renegotiate, .demandService, .demandRecord, .announceMaintenance, .handOver,
      .changeMembers, .rotateKey, .proveReady, .reportEvidence, .regulatorAction:
      nil
    }
  }
}
