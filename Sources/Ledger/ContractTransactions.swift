import Messages
import Signing

/// DeployContract, SetContractStatus (§3.1).
extension BlockExecution {
  mutating func deploy(_ terms: ContractTerms, by signer: Signer) throws(Refusal) {
    let organisation = try organisation(of: signer, acting: .controller)
    try require(terms.operatorID == organisation, orElse: .permissionDenied)
    do { try terms.validate() } catch { throw .code(.invalidArgument) }
    let id = terms.id
    try require(state.contract(id) == nil, orElse: .alreadyExists)
    let record = ContractRecord(terms: terms, status: .active, deployedAt: context.height)
    state.tree.set(LedgerKey.contract(id), .contract(record))
  }

  /// Gates new activations only; DEPRECATED is for good.
  mutating func setStatus(of id: ContractID, to status: ContractStatus, by signer: Signer) throws(Refusal) {
    let organisation = try organisation(of: signer, acting: .controller)
    guard var contract = state.contract(id) else { throw .code(.notFound) }
    try require(contract.terms.operatorID == organisation, orElse: .permissionDenied)
    try require(contract.status != .deprecated, orElse: .failedPrecondition)
    contract.status = status
    state.tree.set(LedgerKey.contract(id), .contract(contract))
  }
}
