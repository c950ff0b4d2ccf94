import Messages
import Signing

/// Records and money, as the transactions see them.
extension BlockExecution {
  // MARK: Parties

  /// The organisation for which the signer acts in one of these roles.
  func organisation(of signer: Signer, acting roles: KeyRole...) throws(Refusal) -> OrganisationID {
    guard case .role(let organisation, let role) = signer, roles.contains(role) else { throw .code(.permissionDenied) }
    return organisation
  }

  func account(_ id: OrganisationID) throws(Refusal) -> AccountRecord {
    guard let account = state.account(id) else { throw .code(.notFound) }
    return account
  }

  // MARK: Money

  /// Takes free money out of an account, to be locked or given by the caller.
  mutating func take(_ amount: Amount, from id: OrganisationID, orElse code: TransactionResult) throws(Refusal) {
    var account = try account(id)
    guard account.balance >= amount else { throw .code(code) }
    account.balance -= amount
    totals.balances -= amount
    store(account)
  }

  mutating func give(_ amount: Amount, to id: OrganisationID) throws(Refusal) {
    guard amount > 0 else { return }
    guard var account = state.account(id) else {
      throw .fault(LedgerFault("\(amount) are due to \(id), which has no account"))
    }
    let (balance, overflow) = account.balance.addingReportingOverflow(amount)
    let (balances, totalOverflow) = totals.balances.addingReportingOverflow(amount)
    guard !overflow, !totalOverflow else { throw .fault(LedgerFault("balances exceed 64 bits at \(id)")) }
    account.balance = balance
    totals.balances = balances
    store(account)
  }

  mutating func store(_ account: AccountRecord) {
    state.tree.set(LedgerKey.account(account.id), .account(account))
    touchedAccounts.append(account.id)
  }

  // MARK: Activations

  /// - Throws: NOT_FOUND, or for one that ended lately what its end was.
  func activation(_ id: ActivationID) throws(Refusal) -> ActivationRecord {
    if let record = state.activation(id) { return record }
    switch state.ended(id)?.state {
    case .settled: throw .code(.alreadySettled)
    case .nullified: throw .code(.failedPrecondition)
    default: throw .code(.notFound)
    }
  }

  /// The terms it was ordered under. Metering and deadlines are the same in all its segments.
  func terms(of activation: ActivationRecord) throws(Refusal) -> ContractTerms {
    try terms(of: activation.order.contract, in: activation)
  }

  /// The terms of each of its segments.
  func allTerms(of activation: ActivationRecord) throws(Refusal) -> [ContractTerms] {
    var terms: [ContractTerms] = []
    for segment in activation.segments { terms.append(try self.terms(of: segment.contract, in: activation)) }
    return terms
  }

  private func terms(of id: ContractID, in activation: ActivationRecord) throws(Refusal) -> ContractTerms {
    guard let contract = state.contract(id) else {
      throw .fault(LedgerFault("activation \(activation.id) of contract \(id), which is not there"))
    }
    return contract.terms
  }

  /// The terms of an offer that takes new bookings.
  func activeTerms(of id: ContractID) throws(Refusal) -> ContractTerms {
    guard let contract = state.contract(id) else { throw .code(.notFound) }
    try require(contract.isOpen, orElse: .failedPrecondition)
    return contract.terms
  }

  /// What a stretch of epochs under some terms locks.
  func booking(
    of contract: ContractID, _ terms: ContractTerms, from first: EpochNumber, epochs: UInt64
  ) throws(Refusal) -> ActivationSegment {
    try require(
      (terms.context.minimumEpochs...terms.context.maximumEpochs).contains(epochs), orElse: .outOfRange)
    do throws(PayoutError) {
      return ActivationSegment(
        contract: contract, first: first, epochs: epochs, escrow: try terms.escrow(epochs: epochs),
        bond: try terms.bond(epochs: epochs))
    } catch {
      throw .code(.outOfRange)
    }
  }

  /// The one way an activation changes. Moves its deadline, counts what is locked, tells followers, and lets a record
  /// in a final state leave the state for the log.
  mutating func store(_ new: ActivationRecord) throws(Refusal) {
    let key = LedgerKey.activation(new.id)
    let old = state.activation(new.id)
    if let deadline = old?.deadline { state.tree.remove(LedgerKey.deadline(deadline, of: key)) }
    try relock(from: old, to: new)
    touchedActivations.append(new.id)
    events.append(.activationChanged(new.change))
    if let deadline = new.deadline {
      state.tree.set(key, .activation(new))
      state.tree.set(LedgerKey.deadline(deadline, of: key), .index)
    } else {
      state.tree.remove(key)
      state.tree.remove(LedgerKey.freeze(new.id))
      archive(new)
    }
  }

  private mutating func relock(from old: ActivationRecord?, to new: ActivationRecord) throws(Refusal) {
    let escrows = totals.escrows &- (old?.lockedEscrow ?? 0)
    let bonds = totals.bonds &- (old?.lockedBond ?? 0)
    let (escrowsNow, escrowOverflow) = escrows.addingReportingOverflow(new.lockedEscrow)
    let (bondsNow, bondOverflow) = bonds.addingReportingOverflow(new.lockedBond)
    guard escrows <= totals.escrows, bonds <= totals.bonds, !escrowOverflow, !bondOverflow else {
      throw .fault(LedgerFault("what is locked for activation \(new.id) is not in the totals"))
    }
    totals.escrows = escrowsNow
    totals.bonds = bondsNow
  }

  private mutating func archive(_ record: ActivationRecord) {
    let leaf = ArchivedActivation(index: archive.count, record: record)
    archive.append(leaf.leaf)
    archived.append(leaf)
    let key = LedgerKey.ended(record.id)
    state.tree.set(key, .ended(EndedRecord(state: record.change.state, leafIndex: leaf.index)))
    forget(key, after: context.height + Transaction.maximumLifetime)
  }

  // MARK: What is forgotten

  mutating func useNonce(of signed: SignedTransaction) {
    let key = LedgerKey.nonce(signed.signer, signed.transaction.nonce)
    let expiry = signed.transaction.expiry
    // A nonce whose expiry has passed but which was not forgotten yet is free again.
    if case .nonce(let old)? = state.tree[key] { state.tree.remove(LedgerKey.expiry(old, of: key)) }
    state.tree.set(key, .nonce(expiry))
    forget(key, after: expiry)
  }

  private mutating func forget(_ key: [UInt8], after height: Height) {
    state.tree.set(LedgerKey.expiry(height, of: key), .index)
  }

  /// Removes what need not be remembered for the next block, a bounded number at a time.
  mutating func forgetExpired() {
    let limit = state.rules.parameters.blockTransactions * LedgerLimits.forgottenPerTransaction
    let next = LedgerKey.expiry(context.height + 1, of: [])
    for (key, _) in state.tree.range(from: LedgerKey.expiryPrefix, before: next, limit: Int(clamping: limit)) {
      state.tree.remove(LedgerKey.expiredKey(key))
      state.tree.remove(key)
    }
  }

  // MARK: Conservation

  /// Counts again, from the records themselves, what the running totals say: every account and activation that this
  /// block touched, before and after.
  func checkConservation() throws(LedgerFault) {
    guard totals.isConserved else {
      throw LedgerFault(
        "balances \(totals.balances), escrows \(totals.escrows) and bonds \(totals.bonds) are not \(totals.issued)")
    }
    var before = MoneyCount()
    var after = MoneyCount()
    for id in Self.sortedOnce(touchedAccounts) {
      before.balances += UInt128(parent.balance(of: id) ?? 0)
      after.balances += UInt128(state.balance(of: id) ?? 0)
    }
    for id in Self.sortedOnce(touchedActivations) {
      before.add(parent.activation(id))
      after.add(state.activation(id))
    }
    let counted = [
      (before.balances, after.balances, parent.totals.balances, totals.balances),
      (before.escrows, after.escrows, parent.totals.escrows, totals.escrows),
      (before.bonds, after.bonds, parent.totals.bonds, totals.bonds),
    ]
    // Added crosswise, so that no difference can be negative.
    for (old, new, oldTotal, newTotal) in counted where old + UInt128(newTotal) != new + UInt128(oldTotal) {
      throw LedgerFault("records and totals of block \(context.height) disagree about money")
    }
  }

  private static func sortedOnce<Element: Comparable>(_ values: [Element]) -> [Element] {
    var once: [Element] = []
    for value in values.sorted() where value != once.last { once.append(value) }
    return once
  }
}

/// Sums over some records.
struct MoneyCount: Equatable {
  var balances: UInt128 = 0
  var escrows: UInt128 = 0
  var bonds: UInt128 = 0

  mutating func add(_ activation: ActivationRecord?) {
    escrows += UInt128(activation?.lockedEscrow ?? 0)
    bonds += UInt128(activation?.lockedBond ?? 0)
  }
}
