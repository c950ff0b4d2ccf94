import Messages
import Signing

// Samples of votes, certificates, blocks and the genesis, and of everything that is one of several kinds.

extension Proposition: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    Proposition(era: draw(), view: draw(), parentView: draw(), blockHash: draw())
  }
}

extension Ballot: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    switch draw.below(3) {
    case 0: .notarize(draw())
    case 1: .nullify(era: draw(), view: draw())
    default: .finalize(draw())
    }
  }
}

extension Vote: Sampled {
  static func sample(_ draw: inout Draw) -> Self { Vote(member: draw(), ballot: draw(), signature: draw()) }
}

extension Certificate: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    let members = (0..<MemberIndex(7)).filter { _ in draw.below(2) == 0 }
    return Certificate(ballot: draw(), votes: members.map { ($0, Signature.sample(&draw)) })
  }
}

extension BlockHeader: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    BlockHeader(
      era: draw(), view: draw(), parentView: draw(), height: draw(), parentHash: draw(), time: draw(), leader: draw(),
      transactionsRoot: draw(), outcomesRoot: draw(), stateRoot: draw(), parentCertificate: draw(), skipped: draw())
  }
}

extension BlockBody: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    let transactions: [SignedTransaction] = draw()
    return BlockBody(transactions: transactions.map(\.envelope), outcomes: draw())
  }
}

extension Block: Sampled {
  static func sample(_ draw: inout Draw) -> Self { Block(header: draw(), body: draw()) }
}

extension Proposal: Sampled {
  static func sample(_ draw: inout Draw) -> Self { Proposal(block: draw(), vote: draw()) }
}

extension Reproposal: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    Reproposal(block: draw(), vote: draw(), certificate: draw(), skipped: draw())
  }
}

extension EraRecord: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    EraRecord(era: draw(), firstView: draw(), version: draw(), members: draw())
  }
}

extension MemberChange: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    MemberChange(era: draw(), number: draw(), joining: draw(), leaving: draw(), grounds: draw())
  }
}

extension KeyRotation: Sampled {
  static func sample(_ draw: inout Draw) -> Self { KeyRotation(era: draw(), old: draw(), new: draw()) }
}

extension LedgerSegment: Sampled {
  static func sample(_ draw: inout Draw) -> Self { LedgerSegment(blocks: draw.list(1...2), finalization: draw()) }
}

extension LedgerEvent: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    switch draw.below(5) {
    case 0: .activationChanged(draw())
    case 1: .enclaveRegistered(key: draw(), owner: draw(), expires: draw())
    case 2: .memberConvicted(draw())
    case 3: .measureTaken(draw(), draw())
    default: .eraEnds(next: draw())
    }
  }
}

extension ConsensusMessage: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    let from = draw.below(1 << 40)
    return switch draw.below(10) {
    case 0: .vote(draw())
    case 1: .proposal(draw())
    case 2: .certificate(draw())
    case 3: .getBlock(draw())
    case 4: .block(draw())
    case 5: .getCertificates(from: from, through: from + draw.below(256))
    case 6: .certificates(draw())
    case 7: .getSegments(from: draw())
    case 8: .reproposal(draw())
    default: .segments(draw())
    }
  }
}

extension Genesis: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    Genesis(
      salt: draw.bytes(16), scheme: .ed25519, time: draw(), parameters: draw(), members: draw(),
      organisations: draw(), platformKeys: draw())
  }
}

extension DisputeCase: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    draw.below(2) == 0
      ? .recompute(base: draw(), customer: draw(), networkOperator: draw()) : .contradiction(draw(), draw())
  }
}

extension BookingUpdate: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    draw.below(2) == 0
      ? .segment(draw(), draw(), from: draw()) : .handover(draw(), edge: draw(), port: draw())
  }
}

extension Action: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    let kinds = every(&draw)
    return kinds[Int(draw.below(UInt64(kinds.count)))]
  }

  /// One of each kind, in order of their numbers.
  static func every(_ draw: inout Draw) -> [Action] {
    [
      .enrol(draw()), .deployContract(draw()), .setContractStatus(draw(), draw()),
      .registerEnclave(draw.signed(AttestationEvidence.sample(&draw))), .transfer(to: draw(), amount: draw()),
      .extend(
        byCustomer: draw.signed(SegmentOrder.sample(&draw)), byOperator: draw.signed(SegmentOrder.sample(&draw))),
      .renegotiate(
        byCustomer: draw.signed(SegmentOrder.sample(&draw)), byOperator: draw.signed(SegmentOrder.sample(&draw))),
      .demandService(draw()), .startService(draw()), .demandRecord(draw()), .postRecord(draw()), .dispute(draw()),
      .announceMaintenance(draw()), .handOver(draw()), .activate(draw()), .confirmSlice(draw()), .rejectSlice(draw()),
      .terminate(draw()),
      .settleAgreed(
        byCustomer: draw.signed(SettlementAgreement.sample(&draw)),
        byOperator: draw.signed(SettlementAgreement.sample(&draw))),
      .settleByRecord(draw(), draw()),
      .reportEvidence(draw()),
      .changeMembers(approvals: [draw.signed(MemberChange.sample(&draw)), draw.signed(MemberChange.sample(&draw))]),
      .rotateKey(draw.signed(KeyRotation.sample(&draw))),
      .regulatorAction(approvals: [draw.signed(RegulatorOrder.sample(&draw))]), .proveReady(block: draw()),
    ]
  }
}

extension Message {
  /// One of each kind, in order of their numbers.
  static func every(_ draw: inout Draw) -> [Message] {
    [
      .acknowledged, .getStatus, .status(draw()), .consensus(draw()), .ledger(draw()), .transaction(draw()),
      .submit(draw()), .submitted(draw()), .getEntries(draw()), .entries(draw()),
      .getSnapshot(draw()), .snapshot(draw()), .getSnapshotChunk(draw()), .snapshotChunk(draw()),
      .witness(draw()), .approval(draw.signed(RegulatorOrder.sample(&draw))), .getTerms, .terms(draw()),
      .getQuote(epochs: draw()), .quote(draw()), .getHistory, .history(draw()), .activate(draw()),
      .activationRequested(draw()), .proposeSettlement(draw()), .requestHandover(draw()), .proposeSegment(draw()),
      .inviteToFlow(draw()), .flowAccepted(draw()), .getEpochMaterial(draw()), .epochMaterial(draw()),
      .settleEpoch(draw()), .updateBooking(draw()), .openFlow(draw()), .flowOpened(draw()), .commit(draw()),
      .reveal(draw()), .revealed(draw()), .submitRecord(draw()), .getReceipts(draw()), .receipts(draw()),
      .pair(draw()), .paired(draw()), .openService(draw()), .closeService(draw()), .getServiceReport(draw()),
      .serviceReport(draw()), .serviceOpened(draw()), .routeService(draw()), .getEvidence(nonce: draw()),
      .evidence(draw.signed(AttestationEvidence.sample(&draw))), .openSession(draw()), .endSession(draw()),
      .getEnclaveStatus(draw()), .enclaveStatus(draw()), .getEnclaveIdentity, .enclaveIdentity(draw()),
      .allocateSubnet(draw()), .releaseSubnet(draw()),
    ]
  }
}
