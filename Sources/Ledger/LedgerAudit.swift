import Messages
import Signing

extension LedgerState {
  /// Counts all money and all indexes again from every record: what blocks only check for what they touch. Costs a
  /// walk through the whole state.
  public func audit() throws(LedgerFault) {
    var count = MoneyCount()
    var deadlines = 0
    var fault: LedgerFault?
    tree.forEach(from: [], before: KeyedMerkleTree<LedgerRecord>.prefixRange([0xFF]).before) { key, record in
      switch record {
      case .account(let account):
        count.balances += UInt128(account.balance)
      case .activation(let activation):
        count.add(activation)
        fault = fault ?? missingDeadline(activation.deadline, of: key)
        deadlines += 1
      case .enclave(let enclave):
        fault = fault ?? missingDeadline(enclave.expires, of: key)
        deadlines += 1
      case .index:
        if key.starts(with: LedgerKey.deadlinePrefix) { deadlines -= 1 }
      case .chain, .totals, .archive, .accountName, .role, .contract, .ended, .nonce, .maintenance,
        .era, .pendingChange, .evidence, .measure, .freeze:
        break
      }
      return fault == nil
    }
    if let fault { throw fault }
    guard deadlines == 0 else { throw LedgerFault("\(-deadlines) deadlines of nothing") }
    let totals = totals
    guard totals.isConserved, count.balances == UInt128(totals.balances), count.escrows == UInt128(totals.escrows),
      count.bonds == UInt128(totals.bonds)
    else {
      throw LedgerFault(
        "counted \(count.balances) + \(count.escrows) + \(count.bonds) of balances, escrows and bonds; the totals say"
          + " \(totals.balances) + \(totals.escrows) + \(totals.bonds) of \(totals.issued)")
    }
  }

  private func missingDeadline(_ deadline: Instant?, of key: [UInt8]) -> LedgerFault? {
    guard let deadline, tree[LedgerKey.deadline(deadline, of: key)] != nil else {
      return LedgerFault("no deadline for \(Hexadecimal.encode(key))")
    }
    return nil
  }
}
