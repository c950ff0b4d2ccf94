import Messages
import Signing

extension LedgerState {
  /// Executes a block on this state, which stays as it is. Signatures were verified before; everything else is
  /// checked here. A refused transaction stands in the block with its code and has no effect but to use its nonce.
  public func executing(
    _ transactions: [SignedTransaction], in context: BlockContext
  ) throws(ExecutionError) -> ExecutedBlock {
    let room = try check(transactions, in: context)
    do throws(LedgerFault) {
      var execution = BlockExecution(on: self, in: context, room: room)
      for transaction in transactions { try execution.execute(transaction) }
      return try execution.finish()
    } catch {
      throw .fault(error)
    }
  }

  /// - Returns: the room that the block uses.
  private func check(
    _ transactions: [SignedTransaction], in context: BlockContext
  ) throws(ExecutionError) -> BlockRoom {
    guard context.height == chain.height + 1 else { throw .invalidBlock(.wrongHeight(expected: chain.height + 1)) }
    guard context.time > chain.time else { throw .invalidBlock(.timeNotAfterParent) }
    let era = era
    guard context.era == era.era else { throw .invalidBlock(.wrongEra(expected: era.era)) }
    guard context.view >= era.firstView else { throw .invalidBlock(.viewBeforeEra(first: era.firstView)) }
    guard era.members.indices.contains(context.leader), era.members[context.leader].leads else {
      throw .invalidBlock(.leaderMayNotLead)
    }
    var admission = BlockAdmission(on: self)
    for (position, transaction) in transactions.enumerated() {
      if let defect = admission.admit(transaction) { throw .invalidBlock(.notIncludable(position, defect)) }
    }
    return admission.room
  }
}

/// One block on its way: the parent's state, changed step by step. Each group of transactions has a file that extends
/// this; they read records, move money and store records only through the functions here and in
/// `BlockExecutionRecords.swift`.
struct BlockExecution {
  /// Deadlines up to here had passed before this block: an answer to one of them comes too late, even if there were
  /// too many to run in one block.
  let passedBefore: Instant
  let context: BlockContext
  let parent: LedgerState
  let room: BlockRoom
  var state: LedgerState
  var totals: TotalsRecord
  var results: [TransactionResult] = []
  var events: [LedgerEvent] = []
  var archive: MerkleLog
  var archived: [ArchivedActivation] = []
  /// The members of the next era, if this block ends its own.
  var nextMembers: [Member]?
  /// What the final count looks at again.
  var touchedAccounts: [OrganisationID] = []
  var touchedActivations: [ActivationID] = []

  init(on parent: LedgerState, in context: BlockContext, room: BlockRoom) {
    self.parent = parent
    self.room = room
    self.context = context
    passedBefore = parent.chain.horizon(faults: parent.faults)
    state = parent
    totals = parent.totals
    archive = parent.archive
    state.chain.advance(
      to: context, heartbeat: parent.rules.parameters.heartbeat,
      rememberedBlocks: Int(clamping: parent.rules.parameters.attestationNonceAge))
  }

  var chain: ChainRecord { state.chain }

  /// Executes one includable transaction and notes its result.
  mutating func execute(_ signed: SignedTransaction) throws(LedgerFault) {
    useNonce(of: signed)
    guard let signer = parent.signer(signed.signer) else {
      throw LedgerFault("transaction \(signed.id) of an unknown signer passed the check of its block")
    }
    let checkpoint = Checkpoint(self)
    do throws(Refusal) {
      try apply(signed, by: signer)
      results.append(.accepted)
    } catch {
      switch error {
      case .code(let code):
        restore(checkpoint)
        results.append(code)
      case .fault(let fault): throw fault
      }
    }
  }

  /// The one place where actions and their rules meet.
  private mutating func apply(_ signed: SignedTransaction, by signer: Signer) throws(Refusal) {
    try requireThawed(signed.transaction.action)
    switch signed.transaction.action {
    case .enrol(let enrolment): try enrol(enrolment, by: signer)
    case .transfer(let receiver, let amount): try transfer(amount, to: receiver, by: signer)
    case .deployContract(let terms): try deploy(terms, by: signer)
    case .setContractStatus(let contract, let status): try setStatus(of: contract, to: status, by: signer)
    case .registerEnclave(let evidence): try registerEnclave(evidence, by: signer)
    case .activate(let order): try activate(order, in: signed, by: signer)
    case .confirmSlice(let confirmation): try confirm(confirmation, by: signer)
    case .rejectSlice(let rejection): try reject(rejection, by: signer)
    case .terminate(let activation): try terminate(activation, by: signer)
    case .settleAgreed(let byCustomer, let byOperator): try settleAgreed(byCustomer, byOperator)
    case .settleByRecord(let activation, let record): try settle(activation, with: record, by: signer)
    case .extend(let byCustomer, let byOperator): try extend(byCustomer, byOperator)
    case .renegotiate(let byCustomer, let byOperator): try renegotiate(byCustomer, byOperator)
    case .handOver(let handover): try handOver(handover, by: signer)
    case .announceMaintenance(let maintenance): try announce(maintenance, by: signer)
    case .demandService(let activation): try demandService(activation, by: signer)
    case .startService(let proof): try startService(proof, by: signer)
    case .demandRecord(let demand): try demandRecord(demand, by: signer)
    case .postRecord(let post): try postRecord(post, by: signer)
    case .dispute(let grounds): try dispute(grounds, by: signer)
    case .reportEvidence(let evidence): try reportEvidence(evidence)
    case .regulatorAction(let approvals): try takeMeasure(approvals, by: signer)
    case .changeMembers(let approvals): try changeMembers(approvals)
    case .rotateKey(let consent): try rotateKey(consent, by: signed.signer)
    case .proveReady(let block): try proveReady(block, by: signed.signer)
    }
  }

  /// Runs deadlines, forgets what is out of date, counts the money and closes the block.
  mutating func finish() throws(LedgerFault) -> ExecutedBlock {
    do throws(Refusal) {
      try runDeadlines()
      try endEra()
    } catch {
      switch error {
      case .code(let code): throw LedgerFault("a deadline was refused with \(code.name)")
      case .fault(let fault): throw fault
      }
    }
    forgetExpired()
    try checkConservation()
    state.tree.set(LedgerKey.chain, .chain(state.chain))
    if totals != parent.totals { state.tree.set(LedgerKey.totals, .totals(totals)) }
    if !archived.isEmpty { state.tree.set(LedgerKey.archive, .archive(archive)) }
    return ExecutedBlock(
      state: state, outcomes: BlockOutcomes(results: results, events: events, room: room),
      archived: archived)
  }
}

/// A refused transaction leaves nothing behind, wherever its checks stopped.
private struct Checkpoint {
  let tree: KeyedMerkleTree<LedgerRecord>
  let totals: TotalsRecord
  let events: Int
  let archived: Int
  let archive: MerkleLog
  let nextMembers: [Member]?

  init(_ execution: BlockExecution) {
    tree = execution.state.tree
    totals = execution.totals
    events = execution.events.count
    archived = execution.archived.count
    archive = execution.archive
    nextMembers = execution.nextMembers
  }
}

extension BlockExecution {
  private mutating func restore(_ checkpoint: Checkpoint) {
    state.tree = checkpoint.tree
    totals = checkpoint.totals
    events.removeLast(events.count - checkpoint.events)
    archived.removeLast(archived.count - checkpoint.archived)
    archive = checkpoint.archive
    nextMembers = checkpoint.nextMembers
  }
}

/// Why a transaction has no effect.
enum Refusal: Error {
  /// It stands in the block with this code.
  case code(TransactionResult)
  case fault(LedgerFault)
}

/// Refuses with a code unless a condition holds.
func require(_ condition: Bool, orElse code: TransactionResult) throws(Refusal) {
  guard condition else { throw .code(code) }
}
