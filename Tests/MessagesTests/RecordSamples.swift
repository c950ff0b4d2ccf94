import Messages
import Signing

// Samples of plain records: every field drawn on its own.

extension SegmentOrder: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    SegmentOrder(
      activation: draw(), index: draw(), contract: draw(), epochs: draw(), plan: draw(), expiry: draw())
  }
}

extension SliceHandover: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    SliceHandover(activation: draw(), end: draw(), from: draw(), cell: draw(), edge: draw(), plan: draw())
  }
}

extension Maintenance: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    Maintenance(window: draw(), cells: draw())
  }
}

extension HandoverRequest: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    HandoverRequest(activation: draw(), end: draw(), cell: draw())
  }
}

extension BlockOutcomes: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    BlockOutcomes(results: draw(), events: draw(), room: draw())
  }
}

extension ServiceProof: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    ServiceProof(activation: draw(), receipts: draw(), record: draw())
  }
}

extension RecordDemand: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    RecordDemand(base: draw(), commitment: draw(), other: draw())
  }
}

extension RecordPost: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    RecordPost(activation: draw(), epoch: draw(), commitment: draw(), receipts: draw())
  }
}

extension Dispute: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    Dispute(activation: draw(), grounds: draw())
  }
}

extension ReceiptsRequest: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    ReceiptsRequest(activation: draw(), epoch: draw())
  }
}

extension EpochMaterial: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    EpochMaterial(
      activation: draw(), epoch: draw(), base: draw(), commitment: draw(), other: draw(), receipts: draw(),
      opened: draw())
  }
}

extension EpochSettling: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    EpochSettling(activation: draw(), epoch: draw(), customer: draw(), networkOperator: draw())
  }
}

extension ActivationConsent: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    ActivationConsent(payer: draw(), nonce: draw(), expiry: draw(), order: draw())
  }
}

extension FlowInvitation: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    FlowInvitation(payer: draw(), nonce: draw(), expiry: draw(), order: draw())
  }
}

extension Member: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    Member(name: draw(), key: draw(), organisation: draw(), leads: draw())
  }
}

extension Organisation: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    Organisation(id: draw(), name: draw(), kind: draw(), credit: draw(), keys: draw())
  }
}

extension NetworkParameters: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    NetworkParameters(
      heartbeat: draw(), timeoutFloor: draw(), timeoutCap: draw(), maximumBehind: draw(), maximumAhead: draw(),
      blockTransactions: draw(), senderQuota: draw(), expiriesPerBlock: draw(), attestationLifetime: draw(),
      attestationNonceAge: draw(), regulatorThreshold: draw(), maximumFreeze: draw(), suspendsConvicted: draw())
  }
}

extension FlowOpening: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    FlowOpening(activation: draw(), agreementKey: draw(), address: draw(), down: draw())
  }
}

extension FlowOpened: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    FlowOpened(activation: draw(), flow: draw(), agreementKey: draw(), address: draw())
  }
}

extension ReceiptReveal: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    ReceiptReveal(activation: draw(), epoch: draw(), receipts: draw())
  }
}

extension EpochCommitment: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    EpochCommitment(activation: draw(), epoch: draw(), side: draw(), receipts: draw(), previousRecord: draw())
  }
}

extension ServiceOrder: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    ServiceOrder(
      activation: draw(), terms: draw(), order: draw(), confirmation: draw(), end: draw(), from: draw(),
      flow:
        draw(), anchor: draw(), peerEdge: draw(), maintenance: draw(), pathDelay: draw(), pathLoss: draw(),
      rateUp:
        draw(), rateDown: draw())
  }
}

extension ReportRequest: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    ReportRequest(draw(), epochs: draw())
  }
}

extension ServiceReport: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    ServiceReport(activation: draw(), record: draw(), isFinished: draw())
  }
}

extension EnclaveSession: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    EnclaveSession(
      activation: draw(), terms: draw(), order: draw(), confirmation: draw(), end: draw(), edge: draw(),
      peerEnclave: draw(), maintenance: draw(), host: draw(), down: draw(), attestation: draw())
  }
}

extension SessionEnding: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    SessionEnding(activation: draw(), epochs: draw())
  }
}

extension EnclaveStatus: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    EnclaveStatus(activation: draw(), phase: draw(), epoch: draw(), record: draw())
  }
}

extension EnclaveIdentity: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    EnclaveIdentity(receiptKey: draw(), applicationPort: draw())
  }
}

extension ActivationChange: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    ActivationChange(
      activation: draw(), state: draw(), statusInfo: draw(), settlement: draw(), money: draw(), epochs: draw(),
      endsAt: draw(), segmentFrom: draw(), answerBy: draw(), posted: draw())
  }
}

extension Quote: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    Quote(contract: draw(), epochs: draw(), escrow: draw(), bond: draw())
  }
}

extension ContractDescription: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    ContractDescription(terms: draw(), status: draw())
  }
}

extension SegmentAccount: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    SegmentAccount(ruleCounters: draw(), epochCounters: draw(), amountDue: draw(), penaltiesDue: draw())
  }
}

extension SettlementAgreement: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    SettlementAgreement(activation: draw(), record: draw())
  }
}

extension SubnetOrder: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    SubnetOrder(activation: draw(), plan: draw(), domain: draw(), window: draw(), elements: draw())
  }
}

extension SubnetRelease: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    SubnetRelease(activation: draw(), plan: draw())
  }
}

extension ServiceRoute: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    ServiceRoute(activation: draw(), from: draw(), port: draw())
  }
}

extension ContractTerms: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    ContractTerms(
      operatorID: draw(), deploymentNumber: draw(), service: draw(), rules: draw(), context: draw(), money: draw(),
      metering: draw(), deadlines: draw())
  }
}

extension ServiceTerms: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    ServiceTerms(
      profile: draw(), guaranteedUp: draw(), guaranteedDown: draw(), maximumUp: draw(), maximumDown: draw(),
      maximumPacketBytes: draw(), functionChain: draw(), sharing: draw())
  }
}

extension ContextTerms: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    ContextTerms(
      serviceTimes: draw(), serviceArea: draw(), allowedPeers: draw(), minimumEpochs: draw(), maximumEpochs: draw())
  }
}

extension TimeWindow: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    TimeWindow(from: draw(), to: draw())
  }
}

extension MoneyTerms: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    MoneyTerms(
      pricePerEpoch: draw(), reservationFee: draw(), terminationPenalty: draw(), inconclusiveShare: draw(),
      contestedShare: draw(), penaltyCap: draw())
  }
}

extension DeadlineTerms: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    DeadlineTerms(
      confirmWithin: draw(), startLead: draw(), settlementWindow: draw(), settleWithin: draw(),
      answerWithin:
        draw(), demandWithin: draw())
  }
}

extension Transaction: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    Transaction(nonce: draw(), expiry: draw(), action: draw())
  }
}

extension Enrolment: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    Enrolment(key: draw(), role: draw())
  }
}

extension SliceConfirmation: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    SliceConfirmation(activation: draw(), planHash: draw(), startAt: draw(), edge: draw(), peerEdge: draw())
  }
}

extension SliceRejection: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    SliceRejection(activation: draw(), reason: draw(), recommended: draw())
  }
}

extension RecommendedRequirements: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    RecommendedRequirements(throughputUp: draw(), throughputDown: draw(), maximumDelay: draw(), from: draw())
  }
}
