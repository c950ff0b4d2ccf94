import Messages
import Signing

/// ReportEvidence: what convicts a member, once per conviction, whoever brings it.
extension BlockExecution {
  /// Its signatures were verified with the block; here it is judged by the members of its era, which the ledger knows.
  mutating func reportEvidence(_ evidence: ConsensusEvidence) throws(Refusal) {
    guard let era = state.era(evidence.era) else { throw .code(.notFound) }
    switch evidence.judged(by: era, state.rules.parameters) {
    case .worthless: throw .code(.invalidArgument)
    case .convicts(let conviction), .incomplete(let conviction, _):
      let known = state.evidence(for: conviction)
      guard known?.isComplete != true else { throw .code(.alreadyExists) }
      if known == nil {
        // One conviction is enough; a liar that goes on lying must not fill the state.
        try require(
          state.convictions(of: conviction.signer).count < LedgerLimits.evidencePerSigner, orElse: .outOfRange)
      }
      try keep(evidence, for: conviction, beside: known, era)
    }
  }

  private mutating func keep(
    _ evidence: ConsensusEvidence, for conviction: Conviction, beside known: EvidenceRecord?, _ era: EraRecord
  ) throws(Refusal) {
    var evidence = evidence
    if case .invalidProposal(let new) = evidence, case .invalidProposal(let old)? = known?.evidence {
      evidence = .invalidProposal(try Self.joined(old, new))
      // Who states it, and no more: the same block, and members only.
    }
    var isComplete = false
    if case .convicts = evidence.judged(by: era, state.rules.parameters) { isComplete = true }
    let record = EvidenceRecord(evidence: evidence, height: context.height, isComplete: isComplete)
    state.tree.set(LedgerKey.evidence(conviction), .evidence(record))
    if isComplete { events.append(.memberConvicted(conviction)) }
  }

  /// What is stated already, and what is new.
  private static func joined(_ old: InvalidProposal, _ new: InvalidProposal) throws(Refusal) -> InvalidProposal {
    // A leader that signed two blocks in one view is convicted of that; the first accused here is judged first.
    try require(old.vote.ballot == new.vote.ballot, orElse: .failedPrecondition)
    let added = new.statements.filter { statement in !old.statements.contains { $0.signer == statement.signer } }
    try require(!added.isEmpty, orElse: .alreadyExists)
    return InvalidProposal(vote: old.vote, statements: old.statements + added)
  }
}

extension LedgerState {
  public func evidence(for conviction: Conviction) -> EvidenceRecord? {
    if case .evidence(let record)? = tree[LedgerKey.evidence(conviction)] { record } else { nil }
  }

  /// Everything kept against a key, by era, view and kind; also what is not complete.
  public func convictions(of signer: PublicKey) -> [EvidenceRecord] {
    let range = KeyedMerkleTree<LedgerRecord>.prefixRange(LedgerKey.evidencePrefix + signer.bytes)
    return tree.range(from: range.from, before: range.before, limit: LedgerLimits.evidencePerSigner).compactMap {
      if case .evidence(let record) = $0.value { record } else { nil }
    }
  }

  /// Everything kept against anybody.
  public var evidence: [EvidenceRecord] {
    let range = KeyedMerkleTree<LedgerRecord>.prefixRange(LedgerKey.evidencePrefix)
    let limit = LedgerLimits.evidencePerSigner * Genesis.maximumMembers
    return tree.range(from: range.from, before: range.before, limit: limit).compactMap {
      if case .evidence(let record) = $0.value { record } else { nil }
    }
  }

  /// A verdict on evidence by the members of its era; nil for an era that this state does not know.
  public func judge(_ evidence: ConsensusEvidence) -> EvidenceJudgement? {
    era(evidence.era).map { evidence.judged(by: $0, rules.parameters) }
  }
}
