import Ledger
import Messages
import Node
import Signing

/// The ledger that one member holds, executed again block by block for reading. Signatures are not checked here
/// (`ajit ledger verify` does); that executing gives the roots the blocks state, is.
struct LedgerReplay {
  let member: String
  let genesis: Genesis
  private(set) var state: LedgerState
  /// In the order of their end.
  private(set) var ended: [(record: ActivationRecord, at: Instant)] = []
  /// By activation: when it got where.
  private(set) var milestones: [ActivationID: ScenarioReport.Milestones] = [:]
  /// Per transaction signer: who that is. Outlives the record of an enclave or key that left the state.
  private let signers: SignerNames

  /// One transaction in its place.
  struct Entry {
    let height: Height
    let time: Instant
    let position: Int
    let transaction: SignedTransaction
    let result: TransactionResult
    let signer: String
  }

  /// Replays a member's log, telling `visit` of every block with the state before it.
  init(
    _ consortium: StoredConsortium, _ log: BlockLog, through last: Height = .max,
    visit: (Block, [Entry], LedgerState) throws -> Void = { _, _, _ in }
  ) throws {
    member = log.member
    genesis = consortium.genesis
    signers = SignerNames(consortium.genesis)
    do { state = try LedgerState(genesis: consortium.genesis) } catch {
      throw CommandFailure(.badData, "\(consortium.path): the genesis begins no network: \(Wording.fault(error))")
    }
    // Where the first blocks were deleted, the snapshot says what they came to.
    if try log.firstHeight() ?? 2 > 1, let snapshot = try log.snapshot(consortium.genesis) { state = snapshot.state }
    let origin = state.height
    try log.forEachSegment(through: last) { segment in
      for block in segment.blocks where block.header.height > origin {
        let entries = try take(block)
        try visit(block, entries, state)
      }
      return true
    }
  }

  private mutating func take(_ block: Block) throws -> [Entry] {
    let header = block.header
    func problem(_ text: String) -> LedgerProblem { LedgerProblem(member: member, height: header.height, text) }
    let before = state
    let executed: ExecutedBlock
    let transactions: [SignedTransaction]
    do {
      transactions = try block.body.transactions.map { try SignedTransaction($0) }
      executed = try before.executing(transactions, in: BlockContext(header))
    } catch {
      throw problem("the block cannot be executed: \(Wording.fault(error))")
    }
    guard executed.outcomes.results.count == block.body.outcomes.results.count,
      executed.state.root == header.stateRoot
    else { throw problem("executing the block gives another state") }
    state = executed.state
    for (transaction, result) in zip(transactions, executed.outcomes.results) where result == .accepted {
      note(transaction, at: header.time)
    }
    for archived in executed.archived {
      milestones[archived.record.id, default: .init()].endedAt = header.time
      ended.append((archived.record, header.time))
    }
    return zip(transactions, executed.outcomes.results).enumerated().map { position, pair in
      Entry(
        height: header.height, time: header.time, position: position, transaction: pair.0, result: pair.1,
        signer: signers.name(of: pair.0.signer, in: before))
    }
  }

  private mutating func note(_ transaction: SignedTransaction, at time: Instant) {
    switch transaction.transaction.action {
    case .activate: milestones[ActivationID(transaction.id), default: .init()].requestedAt = time
    case .confirmSlice(let confirmation):
      milestones[confirmation.activation, default: .init()].answeredAt = time
      milestones[confirmation.activation, default: .init()].startAt = confirmation.startAt
    case .rejectSlice(let rejection):
      milestones[rejection.activation, default: .init()].answeredAt = time
      milestones[rejection.activation, default: .init()].rejection = rejection.reason
      milestones[rejection.activation, default: .init()].counterOffer = rejection.recommended
    default: break
    }
  }
}

/// Names of the organisations and keys that a network begins with; what is enrolled later, the state knows.
struct SignerNames {
  private var names: [PublicKey: String] = [:]

  init(_ genesis: Genesis) {
    for organisation in genesis.organisations {
      names[organisation.id.key] = organisation.name
      for enrolment in organisation.keys { names[enrolment.key] = "\(organisation.name) \(enrolment.role)" }
    }
  }

  func name(of key: PublicKey, in state: LedgerState) -> String {
    if let name = names[key] { return name }
    switch state.signer(key) {
    case .organisation(let id): return state.name(id)
    case .role(let id, let role): return "\(state.name(id)) \(role)"
    case nil: return key.short
    }
  }
}

extension LedgerState {
  func name(_ id: OrganisationID) -> String { account(id)?.name ?? id.short }

  /// `alpha/remote-surgery`
  func name(_ id: ContractID) -> String {
    guard let terms = contract(id)?.terms else { return id.short }
    return "\(name(terms.operatorID))/\(terms.service.profile)"
  }
}
