import Messages
import Signing

/// Who a key is on the ledger.
public enum Signer: Hashable, Sendable {
  /// The organisation itself: it enrols role keys and does nothing else.
  case organisation(OrganisationID)
  case role(OrganisationID, KeyRole)

  public var organisation: OrganisationID {
    switch self {
    case .organisation(let id), .role(let id, _): id
    }
  }
}

/// Questions. Range answers are in key order, at most ``LedgerLimits/rangeAtMost`` at a time; the next question
/// starts after the last answer.
extension LedgerState {
  public func account(_ id: OrganisationID) -> AccountRecord? {
    if case .account(let record)? = tree[LedgerKey.account(id)] { record } else { nil }
  }

  public func account(named name: String) -> AccountRecord? {
    guard case .accountName(let id)? = tree[LedgerKey.accountName(name)] else { return nil }
    return account(id)
  }

  public func balance(of id: OrganisationID) -> Amount? { account(id)?.balance }

  public func signer(_ key: PublicKey) -> Signer? {
    if case .role(let record)? = tree[LedgerKey.role(key)] { return .role(record.organisation, record.role) }
    let id = OrganisationID(key)
    return tree[LedgerKey.account(id)] == nil ? nil : .organisation(id)
  }

  /// The members of the next block's era.
  public var era: EraRecord { era(chain.era) ?? rules.firstEra }

  /// f = ⌊(n − 1) ÷ 3⌋: how many members may be faulty.
  public var faults: Int { era.quorum.faults }

  /// A member set, past or present.
  public func era(_ number: Era) -> EraRecord? {
    if case .era(let record)? = tree[LedgerKey.era(number)] { record } else { nil }
  }

  /// Every member set so far, in order: whose signatures count, and when.
  public var eras: [EraRecord] { (0...chain.era).compactMap { era($0) } }

  /// A member change that waits for its joiners, or that has expired and was not replaced.
  public var pendingChange: PendingChange? {
    if case .pendingChange(let record)? = tree[LedgerKey.pendingChange] { record } else { nil }
  }

  public func contract(_ id: ContractID) -> ContractRecord? {
    if case .contract(let record)? = tree[LedgerKey.contract(id)] { record } else { nil }
  }

  public func maintenance(of id: OrganisationID) -> MaintenanceRecord? {
    if case .maintenance(let record)? = tree[LedgerKey.maintenance(id)] { record } else { nil }
  }

  public func enclave(_ key: PublicKey) -> EnclaveRecord? {
    if case .enclave(let record)? = tree[LedgerKey.enclave(key)] { record } else { nil }
  }

  /// A live activation; one that ended is in the log (``ended(_:)`` says where, for a while).
  public func activation(_ id: ActivationID) -> ActivationRecord? {
    if case .activation(let record)? = tree[LedgerKey.activation(id)] { record } else { nil }
  }

  public func ended(_ id: ActivationID) -> EndedRecord? {
    if case .ended(let record)? = tree[LedgerKey.ended(id)] { record } else { nil }
  }

  /// A live activation's state at the latest block's time, or the final state of one that ended lately.
  public func state(of id: ActivationID) -> ActivationState? {
    activation(id)?.state(at: chain.time) ?? ended(id)?.state
  }

  public var totals: TotalsRecord {
    // Written by every path that makes a state; a tree without it is empty.
    if case .totals(let record)? = tree[LedgerKey.totals] { record } else { TotalsRecord(issued: 0) }
  }

  /// The log of ended activations: count, peaks and root.
  public var archive: MerkleLog {
    if case .archive(let log)? = tree[LedgerKey.archive] { log } else { MerkleLog() }
  }

  public func accounts(after id: OrganisationID? = nil, limit: Int = LedgerLimits.rangeAtMost) -> [AccountRecord] {
    list(LedgerKey.accountPrefix, after: id?.bytes, limit: limit) { _, record in
      if case .account(let account) = record { account } else { nil }
    }
  }

  public func contracts(
    after id: ContractID? = nil, limit: Int = LedgerLimits.rangeAtMost
  ) -> [(id: ContractID, record: ContractRecord)] {
    list(LedgerKey.contractPrefix, after: id?.bytes, limit: limit) { key, record in
      guard case .contract(let contract) = record, let id = ContractID(key) else { return nil }
      return (id, contract)
    }
  }

  /// Live activations.
  public func activations(
    after id: ActivationID? = nil, limit: Int = LedgerLimits.rangeAtMost
  ) -> [ActivationRecord] {
    list(LedgerKey.activationPrefix, after: id?.bytes, limit: limit) { _, record in
      if case .activation(let activation) = record { activation } else { nil }
    }
  }

  /// Shows the record under a ``LedgerKey``, or that there is none, to someone who trusts only ``root``.
  public func proof(of key: [UInt8]) -> KeyedMerkleProof { tree.proof(of: key) }

  private func list<Element>(
    _ prefix: [UInt8], after: [UInt8]?, limit: Int, _ element: ([UInt8], LedgerRecord) -> Element?
  ) -> [Element] {
    let bounds = KeyedMerkleTree<LedgerRecord>.prefixRange(prefix)
    // The least key after another is that key and a zero byte.
    let from = after.map { prefix + $0 + [0] } ?? bounds.from
    return tree.range(from: from, before: bounds.before, limit: min(limit, LedgerLimits.rangeAtMost))
      .compactMap { element(Array($0.key.dropFirst(prefix.count)), $0.value) }
  }
}
