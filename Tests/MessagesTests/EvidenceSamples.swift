import Messages
import Signing

// Samples of what convicts, of promises, and of what regulators order.

extension EvidenceKind: Sampled {}

extension ConsensusEvidence: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    switch draw.below(6) {
    case 0: .conflictingNotarize(draw(), draw())
    case 1: .conflictingFinalize(draw(), draw())
    case 2: .nullifyFinalize(nullify: draw(), finalize: draw())
    case 3: .notarizeFinalize(notarize: draw(), finalize: draw())
    case 4: .invalidProposal(draw())
    default: .brokenAcknowledgement(draw())
    }
  }
}

extension InvalidProposalStatement: Sampled {
  static func sample(_ draw: inout Draw) -> Self { InvalidProposalStatement(draw()) }
}

extension InvalidProposal: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    InvalidProposal(vote: draw(), statements: [draw.signed(InvalidProposalStatement.sample(&draw))])
  }
}

extension SubmissionAcknowledgement: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    SubmissionAcknowledgement(transaction: draw(), era: draw(), view: draw())
  }
}

extension WitnessedAcknowledgement: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    WitnessedAcknowledgement(acknowledgement: draw(), transaction: draw.plainTransaction())
  }
}

extension BrokenAcknowledgement: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    BrokenAcknowledgement(
      acknowledgement: draw.signed(SubmissionAcknowledgement.sample(&draw)),
      transaction: draw.plainTransaction().envelope, parent: draw(), header: draw(), certificate: draw(),
      transactions: draw(), room: draw(), roomProof: MerkleTree.InclusionProof(index: 2, count: 3, path: draw()),
      signer: draw.treeProof(), nonce: draw.treeProof())
  }
}

extension Draw {
  fileprivate mutating func treeProof() -> KeyedMerkleProof {
    var tree = KeyedMerkleTree<ContractDescription>()
    for _ in 0...below(2) { tree.set(bytes(33), self()) }
    return tree.proof(of: bytes(33))
  }

  /// One that carries no evidence: samples of evidence carry transactions.
  fileprivate mutating func plainTransaction() -> SignedTransaction {
    let transaction = Transaction(nonce: self(), expiry: self(), action: .demandService(self()))
    // What was just encoded decodes.
    return (try? SignedTransaction(signed(transaction))) ?? plainTransaction()
  }
}

extension BlockRoom: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    BlockRoom(bytes: draw(), ordinary: draw(), ordinaryBytes: draw(), exhausted: draw())
  }
}

extension Conviction: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    Conviction(signer: draw(), era: draw(), view: draw(), kind: draw())
  }
}

extension RegulatorMeasure: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    switch draw.below(4) {
    case 0: .suspendContract(draw())
    case 1: .restoreContract(draw())
    case 2: .freezeSettlement(draw(), draw())
    default: .openAudit(draw())
    }
  }
}

extension RegulatorOrder: Sampled {
  static func sample(_ draw: inout Draw) -> Self { RegulatorOrder(measure: draw(), reason: draw(), expiry: draw()) }
}
