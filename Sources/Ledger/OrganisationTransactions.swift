import Messages
import Signing

/// Enrol, Transfer.
extension BlockExecution {
  /// An organisation's own key puts a role key on the ledger. Validators are the member set's business, and only
  /// operators have controllers and edges.
  mutating func enrol(_ enrolment: Enrolment, by signer: Signer) throws(Refusal) {
    guard case .organisation(let id) = signer else { throw .code(.permissionDenied) }
    var account = try account(id)
    switch enrolment.role {
    case .validator: throw .code(.permissionDenied)
    case .controller, .edge: try require(account.kind == .networkOperator, orElse: .permissionDenied)
    case .treasury, .device: break
    }
    try require(state.signer(enrolment.key) == nil, orElse: .alreadyExists)
    try require(state.enclave(enrolment.key) == nil, orElse: .alreadyExists)
    try require(account.keys < UInt64(Organisation.maximumKeys), orElse: .outOfRange)
    account.keys += 1
    store(account)
    state.tree.set(LedgerKey.role(enrolment.key), .role(RoleRecord(organisation: id, role: enrolment.role)))
  }

  mutating func transfer(_ amount: Amount, to receiver: OrganisationID, by signer: Signer) throws(Refusal) {
    let payer = try organisation(of: signer, acting: .treasury)
    try require(amount > 0 && receiver != payer, orElse: .invalidArgument)
    _ = try account(receiver)
    try take(amount, from: payer, orElse: .failedPrecondition)
    try give(amount, to: receiver)
  }
}
