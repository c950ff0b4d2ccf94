import Messages
import Signing

/// What a party that does not execute needs to know of the ledger, read from finalized blocks: the transactions that
/// were accepted and the events they and the deadlines gave.
struct LedgerView: Sendable {
  /// One thing that happened, in the order of the block.
  enum Notice: Sendable {
    /// A transaction stands in a block, accepted or refused.
    case transaction(Digest, TransactionResult)
    case deployed(ContractID, ContractTerms)
    case statusSet(ContractID, ContractStatus)
    case ordered(ActivationID, ActivationOrder, payer: PublicKey)
    case confirmed(SliceConfirmation)
    case rejected(SliceRejection)
    case changed(ActivationChange)
    /// The evidence that was accepted for a receipt key, by its envelope's digest.
    case evidence(PublicKey, Digest)
    case enclaveRegistered(PublicKey, owner: OrganisationID, expires: Instant)
  }

  /// Notices of one block. The results stand beside the transactions; a follower trusts the quorum that executed them.
  static func notices(of block: Block) -> [Notice] {
    var notices: [Notice] = []
    for (envelope, result) in zip(block.body.transactions, block.body.outcomes.results) {
      notices.append(.transaction(envelope.digest, result))
      guard result == .accepted, let transaction = try? envelope.decode(Transaction.self) else { continue }
      switch transaction.action {
      case .deployContract(let terms): notices.append(.deployed(terms.id, terms))
      case .setContractStatus(let contract, let status): notices.append(.statusSet(contract, status))
      case .activate(let order):
        guard let payer = envelope.signer else { continue }
        notices.append(.ordered(ActivationID(envelope.digest), order, payer: payer))
      case .confirmSlice(let confirmation): notices.append(.confirmed(confirmation))
      case .rejectSlice(let rejection): notices.append(.rejected(rejection))
      case .registerEnclave(let evidence):
        guard let claims = try? evidence.decode(AttestationEvidence.self) else { continue }
        notices.append(.evidence(claims.receiptKey, evidence.digest))
      case .enrol, .transfer, .terminate, .settleAgreed, .settleByRecord: continue
      }
    }
    for event in block.body.outcomes.events {
      switch event {
      case .activationChanged(let change): notices.append(.changed(change))
      case .enclaveRegistered(let key, let owner, let expires):
        notices.append(.enclaveRegistered(key, owner: owner, expires: expires))
      }
    }
    return notices
  }
}
