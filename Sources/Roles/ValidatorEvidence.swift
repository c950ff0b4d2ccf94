import Consensus
import Effects
import Ledger
import Messages
import Signing
import Wire

/// Holding others to the rules: what proves that a member broke them is durable before anything is done about it, and
/// is brought to the ledger until it stands there, in this life or the next.
extension ValidatorCore {
  /// Between two members' turns to report the same: the first usually does, so the ledger carries it once.
  static let reportStagger = Span.milliseconds(500)
  /// Heights for which a report may stand in a block; then it is signed anew.
  static let reportLifetime: Height = 1_000
  /// Invalid blocks archived whole, bytes; more are stated and not archived.
  static let maximumArchivedBytes = 64 << 20
  /// Acknowledgements of others watched at once, and of one member.
  static let maximumWitnessed = 1_024
  static let maximumWitnessedPerMember = 256

  /// What waits to stand on the ledger.
  struct HeldEvidence: Sendable {
    let evidence: ConsensusEvidence
    /// When it is this member's turn to report it.
    var dueAt: Instant
    /// Until it has expired, these bytes again and no others.
    var report: SignedTransaction?
  }

  /// What this member signs with in the era it is in.
  var key: SigningKey { consensus.membership.identity?.key ?? configuration.keys[0] }

  // MARK: Recovery

  mutating func recover(_ record: StoredRecord) throws {
    switch record.stream {
    case Stream.evidence:
      evidenceCount = max(evidenceCount, record.key + 1)
      held.append(HeldEvidence(evidence: try ConsensusEvidence(decoding: record.bytes), dueAt: .zero))
    case Stream.refuted:
      refutedCount = max(refutedCount, record.key + 1)
      archivedBytes += record.bytes.count
    case Stream.acknowledged: try acknowledged.recover(record)
    case Stream.witnessed:
      witnessedCount = max(witnessedCount, record.key + 1)
      witnessed.append(try WitnessedAcknowledgement(decoding: record.bytes))
    default: break
    }
  }

  /// What was promised waits for a block again, before anything new does.
  mutating func recoverPromises() {
    for transaction in acknowledged.recovered(on: executions.final) { _ = admit(transaction) }
  }

  // MARK: Finding

  mutating func keep(_ evidence: ConsensusEvidence, _ turn: inout Turn) {
    guard evidenceCount < Self.maximumEvidence else { return turn.count("validator.evidenceNotKept") }
    turn.add(.persist(.put(stream: Stream.evidence, key: evidenceCount, bytes: evidence.encoded)))
    evidenceCount += 1
    let name = name(of: evidence)
    turn.note("\(evidence.kind.name): evidence against \(name) in view \(evidence.view)", .warning)
    hold(evidence, at: turn.now)
    report(&turn)
  }

  /// A proposal is invalid for ever: archived, so that others can execute it again, and stated.
  mutating func refute(_ proposal: Proposal, _ reason: String, _ turn: inout Turn) {
    guard let proposition = proposal.vote.ballot.proposition else { return }
    let bytes = proposal.encoded
    if archivedBytes + bytes.count <= Self.maximumArchivedBytes {
      turn.add(.persist(.put(stream: Stream.refuted, key: refutedCount, bytes: bytes)))
      refutedCount += 1
      archivedBytes += bytes.count
    } else {
      turn.count("validator.refutedNotArchived")
    }
    turn.note("view \(proposition.view): an invalid proposal: \(reason)", .warning)
    let statement = Envelope(
      signing: InvalidProposalStatement(proposition), with: key, network: configuration.genesis.networkID)
    keep(.invalidProposal(InvalidProposal(vote: proposal.vote, statements: [statement])), &turn)
  }

  private func name(of evidence: ConsensusEvidence) -> String {
    let members = executions.final.era(evidence.era)?.members ?? []
    return Int(evidence.member) < members.count ? members[Int(evidence.member)].name : "member \(evidence.member)"
  }

  /// - Parameter now: zero at recovery, when it has long been due.
  mutating func hold(_ evidence: ConsensusEvidence, at now: Instant) {
    // Everybody has its own statement to make; anything else one report says for all.
    let rank: UInt64
    if case .invalidProposal = evidence {
      rank = 0
    } else {
      let count = UInt64(max(1, members.count))
      rank = (UInt64(members.firstIndex(of: address) ?? 0) + count - evidence.view % count) % count
    }
    held.append(HeldEvidence(evidence: evidence, dueAt: now + Self.reportStagger * Int64(rank)))
  }

  // MARK: Reporting

  /// Brings what is due to the ledger, and forgets what stands there.
  mutating func report(_ turn: inout Turn) {
    let state = executions.final
    held = held.filter { !isSettled($0.evidence, on: state) }
    for index in held.indices where held[index].dueAt <= turn.now {
      if let report = held[index].report, report.transaction.expiry > state.height { continue }
      let transaction = signed(.reportEvidence(held[index].evidence), about: held[index].evidence.digest)
      held[index].report = transaction
      if admit(transaction) == .added { turn.add(.publish(.transactions, .transaction(transaction))) }
    }
  }

  /// Whether the ledger has it, or can make nothing of it.
  private func isSettled(_ evidence: ConsensusEvidence, on state: LedgerState) -> Bool {
    switch state.judge(evidence) {
    case nil: return false
    case .worthless: return true
    case .convicts(let conviction), .incomplete(let conviction, _):
      // One proof of a kind convicts, and the ledger keeps only so many: a liar that goes on lying must not make the
      // others fill block after block with more of the same.
      let others = state.convictions(of: conviction.signer)
      if others.count >= LedgerLimits.evidencePerSigner
        || others.contains(where: { $0.isComplete && $0.evidence.kind == conviction.kind })
      {
        return true
      }
      guard let known = state.evidence(for: conviction) else { return false }
      if known.isComplete { return true }
      guard case .invalidProposal(let there) = known.evidence, case .invalidProposal(let mine) = evidence else {
        return false
      }
      return mine.statements.allSatisfy { statement in there.statements.contains { $0.signer == statement.signer } }
    }
  }

  /// A transaction of this member's own. Its nonce follows from what it is about and from its expiry, so that the same
  /// is never on the ledger twice.
  func signed(_ action: Action, about subject: Digest) -> SignedTransaction {
    let expiry = executions.final.height + Self.reportLifetime
    let nonce = Digest(label: "AJIT member nonce", subject.bytes, expiry.encoded).bytes
      .prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return SignedTransaction(
      signing: Transaction(nonce: nonce, expiry: expiry, action: action), with: key,
      network: configuration.genesis.networkID)
  }

  // MARK: Witnessing

  /// Somebody was promised something and waits: the promise is kept here, durable, and its giver watched, from what is
  /// still remembered on.
  mutating func witness(_ token: ReplyToken, _ witnessed: WitnessedAcknowledgement, _ turn: inout Turn) {
    guard let promise = try? witnessed.acknowledgement.payload(), promise.transaction == witnessed.transaction.id,
      let signer = witnessed.acknowledgement.envelope.signer, executions.final.era.index(of: signer) != nil
    else { return turn.refuse(token, .invalidArgument, "not a member's acknowledgement of this transaction") }
    turn.add(.reply(token, .acknowledged))
    guard !self.witnessed.contains(where: { $0.acknowledgement == witnessed.acknowledgement }) else { return }
    if let evidence = executions.recent.proof(that: witnessed) { return keep(evidence, &turn) }
    guard self.witnessed.count < Self.maximumWitnessed,
      self.witnessed.count(where: { $0.acknowledgement.envelope.signer == signer }) < Self.maximumWitnessedPerMember,
      executions.final.isIncludable(witnessed.transaction)
    else { return turn.count("validator.witnessNotKept") }
    turn.add(.persist(.put(stream: Stream.witnessed, key: witnessedCount, bytes: witnessed.encoded)))
    witnessedCount += 1
    self.witnessed.append(witnessed)
  }

  /// Looks at the blocks from this height on for broken promises; forgets what is kept or void.
  mutating func watch(from height: Height, _ turn: inout Turn) {
    guard !witnessed.isEmpty else { return }
    for promise in witnessed {
      if let evidence = executions.recent.proof(that: promise, wasBrokenFrom: height) { keep(evidence, &turn) }
    }
    let state = executions.final
    witnessed.removeAll { !state.isIncludable($0.transaction) }
    if witnessed.isEmpty { turn.add(.persist(.prune(stream: Stream.witnessed, below: witnessedCount))) }
  }
}
