import Messages
import Signing

/// What evidence proves about a member, to anybody who knows the members of its era. Signatures were verified before
/// (``ConsensusEvidence`` lists the checks); everything else is here, so the ledger, a member and an auditor with
/// nothing but the genesis judge alike.
public enum EvidenceJudgement: Hashable, Sendable {
  case convicts(Conviction)
  /// Statements of so many more members would convict.
  case incomplete(Conviction, missing: Int)
  case worthless(EvidenceDefect)
}

/// Why evidence convicts nobody. Whoever carried it is not to blame.
public enum EvidenceDefect: Error, Hashable, Sendable {
  /// Of an era whose members are not these, or of nobody among them.
  case notOfThisEra
  /// Two encodings of one vote, votes of two views, or of two members.
  case noContradiction
  /// A statement by somebody who is no member, by the accused, twice by one, or about another block.
  case statement
  /// The acknowledgement is another member's, of another transaction, or names a later view.
  case acknowledgement
  /// Headers, certificate and transactions are not one block and its parent.
  case block
  /// The transaction stands in the block.
  case included
  /// The block had no room for it, as far as this shows.
  case noRoom
  /// It could not have stood on the block's parent.
  case notIncludable
  /// An empty block of a leader that may have had to make an empty one.
  case mayHaveHadToBeEmpty
}

extension ConsensusEvidence {
  /// - Parameter era: whose members judge: the evidence's own.
  public func judged(by era: EraRecord, _ parameters: NetworkParameters) -> EvidenceJudgement {
    guard era.era == self.era, Int(member) < era.members.count else { return .worthless(.notOfThisEra) }
    guard isContradiction else { return .worthless(.noContradiction) }
    let conviction = Conviction(signer: era.members[Int(member)].key, era: self.era, view: view, kind: kind)
    do throws(EvidenceDefect) {
      switch self {
      case .conflictingNotarize, .conflictingFinalize, .nullifyFinalize, .notarizeFinalize:
        return .convicts(conviction)
      case .invalidProposal(let invalid):
        let stated = try invalid.witnesses(among: era, against: conviction.signer).count
        let missing = era.quorum.oneHonest - stated
        return missing > 0 ? .incomplete(conviction, missing: missing) : .convicts(conviction)
      case .brokenAcknowledgement(let broken):
        try broken.check(against: conviction.signer, parameters)
        return .convicts(conviction)
      }
    } catch {
      return .worthless(error)
    }
  }
}

extension InvalidProposal {
  /// The members that state it, in the order of their statements.
  func witnesses(among era: EraRecord, against accused: PublicKey) throws(EvidenceDefect) -> [PublicKey] {
    var witnesses: [PublicKey] = []
    for envelope in statements {
      guard let signer = envelope.signer, signer != accused, era.index(of: signer) != nil,
        !witnesses.contains(signer), let statement = try? envelope.decode(InvalidProposalStatement.self),
        statement.proposition == vote.ballot.proposition
      else { throw .statement }
      witnesses.append(signer)
    }
    return witnesses
  }
}

/// An honest leader is never convicted by this. It made the acknowledgement, and the transaction, durable before it
/// said so, and keeps both until the transaction is final or can never be included. Every block that it leads from the
/// view named on, which is above all in which it had signed anything, is built with the transaction at hand: it stands
/// in the block unless the block's parent refuses it, or there is no room. Whoever built the block also chose how much
/// room others take, and execution counted it.
extension BrokenAcknowledgement {
  func check(against leader: PublicKey, _ parameters: NetworkParameters) throws(EvidenceDefect) {
    guard acknowledgement.signer == leader,
      let promise = try? acknowledgement.decode(SubmissionAcknowledgement.self),
      promise.transaction == transaction.digest,
      (promise.era, promise.view) <= (header.era, header.view)
    else { throw .acknowledgement }
    try checkBlock()
    guard !transactions.contains(MerkleTree.leafHash(transaction.bytes)) else { throw .included }
    // A leader far ahead of finality makes empty blocks; it is not when its parent is final, or it included others.
    guard !transactions.isEmpty || header.hasFinalParent else { throw .mayHaveHadToBeEmpty }
    let organisation = try includableOrganisation()
    guard hasRoom(for: organisation, parameters) else { throw .noRoom }
  }

  private func checkBlock() throws(EvidenceDefect) {
    let hash = header.hash
    guard certificate.ballot.proposition == header.proposition(hash: hash), header.isWellFormed,
      header.parentHash == parent.hash, header.height == parent.height + 1,
      MerkleTree.root(ofLeafHashes: transactions) == header.transactionsRoot,
      roomProof.index == BlockOutcomes.roomLeaf,
      roomProof.proves(room.encoded, count: BlockOutcomes.leafCount, root: header.outcomesRoot)
    else { throw .block }
  }

  /// Whose transaction it is, if it could stand on the parent.
  private func includableOrganisation() throws(EvidenceDefect) -> OrganisationID {
    guard let key = transaction.signer, let content = try? transaction.decode(Transaction.self),
      content.expiry >= header.height, content.expiry - header.height <= Transaction.maximumLifetime
    else { throw .notIncludable }
    if case .nonce(let usedUntil)? = try proved(LedgerKey.nonce(key, content.nonce), by: nonce),
      usedUntil >= header.height
    {
      throw .notIncludable
    }
    if case .role(let record)? = try proved(LedgerKey.role(key), by: signer) { return record.organisation }
    throw .notIncludable
  }

  private func proved(_ key: [UInt8], by proof: KeyedMerkleProof) throws(EvidenceDefect) -> LedgerRecord? {
    do throws(ProofError) {
      return try proof.value(of: key, as: LedgerRecord.self, root: parent.stateRoot)
    } catch {
      throw .notIncludable
    }
  }

  /// Judged as if it stood in no kept place, which asks for more room than it may need.
  private func hasRoom(for organisation: OrganisationID, _ parameters: NetworkParameters) -> Bool {
    let size = UInt64(transaction.bytes.count)
    return BlockAdmission.hasOrdinaryRoom(
      for: size, in: room, transactions: UInt64(transactions.count), maximum: parameters.blockTransactions)
      && !room.exhausted.contains(organisation)
  }
}

extension BlockHeader {
  /// Whether its leader held a finalization of the parent.
  var hasFinalParent: Bool {
    if case .finalize? = parentCertificate?.ballot { true } else { false }
  }
}
