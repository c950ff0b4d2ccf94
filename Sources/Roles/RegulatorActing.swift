import Effects
import Messages
import Signing

/// Something that a regulator is told to order, once the others are told to as well.
public struct PlannedMeasure: Hashable, Sendable {
  public enum Subject: Hashable, Sendable {
    case suspend(ContractID)
    case restore(ContractID)
    /// Of the first activation that somebody pays for and that stands on the ledger.
    case freeze(payer: PublicKey, Span)
    case audit(payer: PublicKey)
  }

  public var subject: Subject
  public var reason: String
  public var notBefore: Instant

  public init(_ subject: Subject, reason: String, notBefore: Instant) {
    self.subject = subject
    self.reason = reason
    self.notBefore = notBefore
  }
}

/// How regulators come to act together: each signs the order that it is told to give and tells the others; whoever
/// holds as many signatures as the network asks for puts them on the ledger. They sign the same bytes because they were
/// told the same.
struct RegulatorActing: Sendable {
  /// What is not settled is said again this often.
  static let interval = Span.seconds(2)
  static let deadline = Span.seconds(2)
  /// Orders of others kept until this one is told the same.
  static let maximumOrders = 64
  /// An order that was refused (a freeze before the end of service) is brought again after so many blocks.
  static let refusedPause: Height = 8

  private struct Draft: Sendable {
    let order: RegulatorOrder
    var approvals: [Envelope]
    /// Peers that know of this one's approval.
    var told: Set<ActorAddress> = []
    var transaction: SignedTransaction?
    var isDone = false
    var notBeforeHeight: Height = 0
  }

  private let configuration: RegulatorCore.Configuration
  private let regulators: Set<PublicKey>
  private var drafts: [Digest: Draft] = [:]
  /// Of orders that this one was not told to give.
  private var pending: [Digest: [Envelope]] = [:]
  private var asked: [RequestID: (order: Digest, peer: ActorAddress)] = [:]
  private var members: MemberRotation
  private var ordered: [PublicKey: ActivationID] = [:]
  private var nextAt = Instant.zero
  private var repeats = 0

  init(_ configuration: RegulatorCore.Configuration) {
    self.configuration = configuration
    let genesis = configuration.genesis
    let organisations = Set(genesis.organisations.filter { $0.kind == .regulator }.map(\.id))
    regulators = Set(genesis.members.filter { organisations.contains($0.organisation) }.map(\.key))
    members = MemberRotation(configuration.validators)
  }

  // MARK: What it hears

  mutating func take(_ approval: Envelope) {
    guard let signer = approval.signer, regulators.contains(signer),
      let order = try? approval.decode(RegulatorOrder.self)
    else { return }
    add(approval, signer, to: order.id)
  }

  private mutating func add(_ approval: Envelope, _ signer: PublicKey, to id: Digest) {
    if drafts[id]?.approvals.contains(where: { $0.signer == signer }) == false {
      drafts[id]?.approvals.append(approval)
    } else if drafts[id] == nil, pending[id] != nil || pending.count < Self.maximumOrders,
      pending[id]?.contains(where: { $0.signer == signer }) != true
    {
      pending[id, default: []].append(approval)
    }
  }

  mutating func take(_ block: Block) {
    for event in block.body.outcomes.events {
      if case .measureTaken(let order, _) = event { drafts[order]?.isDone = true }
    }
    guard !configuration.measures.isEmpty else { return }
    for (envelope, result) in zip(block.body.transactions, block.body.outcomes.results) {
      guard let glance = LedgerView.Glance(envelope) else { continue }
      if glance.kind == .activate, result == .accepted, ordered[glance.signer] == nil {
        ordered[glance.signer] = ActivationID(envelope.digest)
      }
      guard glance.number == 33 else { continue }
      for (id, draft) in drafts where draft.transaction?.id == envelope.digest && result != .accepted {
        drafts[id]?.transaction = nil
        drafts[id]?.notBeforeHeight = block.header.height + Self.refusedPause
        // Alone it is refused once and for all.
        if result == .permissionDenied { drafts[id]?.isDone = true }
      }
    }
  }

  mutating func answered(_ id: RequestID, _ result: Result<Verified<Message>, RemoteError>) {
    guard let (order, peer) = asked.removeValue(forKey: id) else { return }
    switch result {
    case .success: drafts[order]?.told.insert(peer)
    case .failure where peer.role == .validator: members.failed(peer)
    case .failure: break
    }
  }

  // MARK: What it does

  mutating func act(
    at now: Instant, height: Height, hasCaughtUp: Bool, _ numbers: inout RequestNumbers
  ) -> [Effect] {
    guard !configuration.measures.isEmpty, hasCaughtUp else { return [] }
    var effects: [Effect] = []
    for measure in configuration.measures where measure.notBefore <= now { draft(measure) }
    if now >= nextAt {
      nextAt = now + Self.interval
      repeats += 1
      asked = [:]
      for id in drafts.keys.sorted() { effects += advance(id, height, &numbers) }
    }
    let isOver = drafts.count == configuration.measures.count && drafts.values.allSatisfy(\.isDone)
    if !isOver { effects.append(.setTimer(TimerID(RegulatorCore.Purpose.measures), at: nextAt)) }
    return effects
  }

  private mutating func draft(_ measure: PlannedMeasure) {
    guard let ordered = self.measure(measure.subject) else { return }
    // The same bytes at every regulator.
    let order = RegulatorOrder(measure: ordered, reason: measure.reason, expiry: Transaction.maximumLifetime)
    let id = order.id
    guard drafts[id] == nil else { return }
    let approval = Envelope(signing: order, with: configuration.key, network: configuration.genesis.networkID)
    let others = (pending.removeValue(forKey: id) ?? []).filter { $0.signer != approval.signer }
    drafts[id] = Draft(order: order, approvals: [approval] + others)
  }

  private func measure(_ subject: PlannedMeasure.Subject) -> RegulatorMeasure? {
    switch subject {
    case .suspend(let contract): .suspendContract(contract)
    case .restore(let contract): .restoreContract(contract)
    case .freeze(let payer, let span): ordered[payer].map { .freezeSettlement($0, span) }
    case .audit(let payer): ordered[payer].map { .openAudit($0) }
    }
  }

  private mutating func advance(_ id: Digest, _ height: Height, _ numbers: inout RequestNumbers) -> [Effect] {
    guard let draft = drafts[id], !draft.isDone, let own = draft.approvals.first else { return [] }
    var effects: [Effect] = []
    for peer in configuration.peers where !draft.told.contains(peer) {
      let request = numbers.next()
      asked[request] = (id, peer)
      effects.append(.request(request, to: peer, .approval(own), deadline: Self.deadline))
    }
    let threshold = configuration.genesis.parameters.regulatorThreshold
    guard configuration.actsAlone || UInt64(draft.approvals.count) >= threshold, height >= draft.notBeforeHeight else {
      return effects
    }
    let transaction = draft.transaction.flatMap { $0.transaction.expiry > height ? $0 : nil } ?? signed(draft, height)
    drafts[id]?.transaction = transaction
    let member = members.member(repeats: repeats)
    let request = numbers.next()
    asked[request] = (id, member)
    effects.append(.request(request, to: member, .submit(transaction), deadline: Self.deadline))
    return effects
  }

  private func signed(_ draft: Draft, _ height: Height) -> SignedTransaction {
    let expiry = height + Transaction.orderLifetime
    let nonce = Digest(label: "AJIT order nonce", draft.order.id.bytes, height.encoded).bytes
      .prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    let approvals = configuration.actsAlone ? Array(draft.approvals.prefix(1)) : draft.approvals
    return SignedTransaction(
      signing: Transaction(nonce: nonce, expiry: expiry, action: .regulatorAction(approvals: approvals)),
      with: configuration.key, network: configuration.genesis.networkID)
  }
}

extension RegulatorMeasure {
  var name: String {
    switch self {
    case .suspendContract: "suspend contract"
    case .restoreContract: "restore contract"
    case .freezeSettlement: "freeze settlement"
    case .openAudit: "open audit"
    }
  }

  /// The beginning of what it is about.
  var subject: String {
    switch self {
    case .suspendContract(let contract), .restoreContract(let contract): contract.short
    case .freezeSettlement(let activation, _), .openAudit(let activation): activation.short
    }
  }
}
