import Signing
import Wire

/// Everything that travels on the bus: one closed list. On the wire `[number, body]`, the body `null` where a message
/// is only its number; numbers are never reused. Requests and their answers stand together; what is published says so.
public enum Message: Hashable, Sendable {
  // 0–9: any actor
  case acknowledged
  case getStatus
  case status([StatusItem])
  // 10–19: the ledger. `ledger` and `transaction` are published; `consensus` is published or asked, as its kinds say
  case consensus(ConsensusMessage)
  case ledger(LedgerSegment)
  case transaction(SignedTransaction)
  case submit(SignedTransaction)
  /// Signed and durable: a promise that convicts who breaks it.
  case submitted(SignedMessage<SubmissionAcknowledgement>)
  // 20–29: reading the ledger
  case getEntries(EntriesRequest)
  case entries(ProvenEntries)
  case getSnapshot(SnapshotRequest)
  case snapshot(SnapshotManifest)
  case getSnapshotChunk(SnapshotChunkRequest)
  case snapshotChunk(SnapshotChunk)
  // 26–27: holding others to their word
  /// Watch the member that acknowledged this.
  case witness(WitnessedAcknowledgement)
  /// What takes effect only when enough have signed it (``MemberChange``, ``RegulatorOrder``): one signature, for
  /// whoever gathers them.
  case approval(Envelope)
  // 30–39: contracts
  case getTerms
  case terms(ContractDescription)
  case getQuote(epochs: UInt64)
  case quote(Quote)
  case getHistory
  case history([ActivationChange])
  case activate(SignedTransaction)
  // 40–49: an operator's controller
  case activationRequested(ActivationID)
  case proposeSettlement(SignedMessage<SettlementAgreement>)
  case requestHandover(HandoverRequest)
  case proposeSegment(SignedMessage<SegmentOrder>)
  // 44–45: customer and customer
  case inviteToFlow(FlowInvitation)
  case flowAccepted(ActivationOrder)
  // 46–49: customer and its enclave, controller and its edges
  case getEpochMaterial(ReceiptsRequest)
  case epochMaterial(EpochMaterial)
  case settleEpoch(EpochSettling)
  case updateBooking(BookingUpdate)
  // 50–59: enclave and edge
  case openFlow(SignedMessage<FlowOpening>)
  case flowOpened(SignedMessage<FlowOpened>)
  case commit(CommitmentExchange)
  case reveal(ReceiptReveal)
  case revealed(ReceiptsRevealed)
  case submitRecord(RecordSubmission)
  // between the two ends' enclaves, between edges
  case getReceipts(ReceiptsRequest)
  case receipts(ReceiptSet)
  case pair(SignedMessage<FlowOpening>)
  case paired(SignedMessage<FlowOpening>)
  // 60–69: controller and edge
  case openService(ServiceOrder)
  case closeService(ActivationID)
  case getServiceReport(ReportRequest)
  case serviceReport(ServiceReport)
  case serviceOpened(DataAddress)
  case routeService(ServiceRoute)
  // 70–79: the launcher of an enclave
  case getEvidence(nonce: Digest)
  case evidence(Envelope)
  // 80–89: customer and enclave
  case openSession(EnclaveSession)
  case endSession(SessionEnding)
  case getEnclaveStatus(ReportRequest)
  case enclaveStatus(EnclaveStatus)
  case getEnclaveIdentity
  case enclaveIdentity(EnclaveIdentity)
  // 90–99: a controller and its domain managers
  case allocateSubnet(SubnetOrder)
  case releaseSubnet(SubnetRelease)

  /// Lines of a contract's history in one answer.
  public static let maximumHistory = 4096

  public var kind: Kind {
    switch self {
    case .acknowledged: .acknowledged
    case .getStatus: .getStatus
    case .status: .status
    case .consensus: .consensus
    case .ledger: .ledger
    case .transaction: .transaction
    case .submit: .submit
    case .submitted: .submitted
    case .getEntries: .getEntries
    case .entries: .entries
    case .getSnapshot: .getSnapshot
    case .snapshot: .snapshot
    case .getSnapshotChunk: .getSnapshotChunk
    case .snapshotChunk: .snapshotChunk
    case .witness: .witness
    case .approval: .approval
    case .getTerms: .getTerms
    case .terms: .terms
    case .getQuote: .getQuote
    case .quote: .quote
    case .getHistory: .getHistory
    case .history: .history
    case .activate: .activate
    case .activationRequested: .activationRequested
    case .proposeSettlement: .proposeSettlement
    case .requestHandover: .requestHandover
    case .proposeSegment: .proposeSegment
    case .inviteToFlow: .inviteToFlow
    case .flowAccepted: .flowAccepted
    case .getEpochMaterial: .getEpochMaterial
    case .epochMaterial: .epochMaterial
    case .settleEpoch: .settleEpoch
    case .updateBooking: .updateBooking
    case .openFlow: .openFlow
    case .flowOpened: .flowOpened
    case .commit: .commit
    case .reveal: .reveal
    case .revealed: .revealed
    case .submitRecord: .submitRecord
    case .getReceipts: .getReceipts
    case .receipts: .receipts
    case .pair: .pair
    case .paired: .paired
    case .openService: .openService
    case .closeService: .closeService
    case .getServiceReport: .getServiceReport
    case .serviceReport: .serviceReport
    case .serviceOpened: .serviceOpened
    case .routeService: .routeService
    case .getEvidence: .getEvidence
    case .evidence: .evidence
    case .openSession: .openSession
    case .endSession: .endSession
    case .getEnclaveStatus: .getEnclaveStatus
    case .enclaveStatus: .enclaveStatus
    case .getEnclaveIdentity: .getEnclaveIdentity
    case .enclaveIdentity: .enclaveIdentity
    case .allocateSubnet: .allocateSubnet
    case .releaseSubnet: .releaseSubnet
    }
  }

  /// What it begins with on the wire.
  public var number: UInt8 { kind.rawValue }
}

extension Message: WireCodable {
  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(UInt64(number))
    switch self {
    case .acknowledged,
      .getStatus,
      .getTerms,
      .getHistory,
      .getEnclaveIdentity:
      writer.writeNull()
    case .status(let value): writer.write(list: value)
    case .consensus(let value): writer.write(value)
    case .ledger(let value): writer.write(value)
    case .transaction(let value): writer.write(value)
    case .submit(let value): writer.write(value)
    case .submitted(let value): writer.write(value)
    case .getEntries(let value): writer.write(value)
    case .entries(let value): writer.write(value)
    case .getSnapshot(let value): writer.write(value)
    case .snapshot(let value): writer.write(value)
    case .getSnapshotChunk(let value): writer.write(value)
    case .snapshotChunk(let value): writer.write(value)
    case .witness(let value): writer.write(value)
    case .approval(let value): writer.write(value)
    case .terms(let value): writer.write(value)
    case .getQuote(let value): writer.write(value)
    case .quote(let value): writer.write(value)
    case .history(let value): writer.write(list: value)
    case .activate(let value): writer.write(value)
    case .activationRequested(let value): writer.write(value)
    case .proposeSettlement(let value): writer.write(value)
    case .requestHandover(let value): writer.write(value)
    case .proposeSegment(let value): writer.write(value)
    case .inviteToFlow(let value): writer.write(value)
    case .flowAccepted(let value): writer.write(value)
    case .getEpochMaterial(let value): writer.write(value)
    case .epochMaterial(let value): writer.write(value)
    case .settleEpoch(let value): writer.write(value)
    case .updateBooking(let value): writer.write(value)
    case .openFlow(let value): writer.write(value)
    case .flowOpened(let value): writer.write(value)
    case .commit(let value): writer.write(value)
    case .reveal(let value): writer.write(value)
    case .revealed(let value): writer.write(value)
    case .submitRecord(let value): writer.write(value)
    case .getReceipts(let value): writer.write(value)
    case .receipts(let value): writer.write(value)
    case .pair(let value): writer.write(value)
    case .paired(let value): writer.write(value)
    case .openService(let value): writer.write(value)
    case .closeService(let value): writer.write(value)
    case .getServiceReport(let value): writer.write(value)
    case .serviceReport(let value): writer.write(value)
    case .serviceOpened(let value): writer.write(value)
    case .routeService(let value): writer.write(value)
    case .getEvidence(let value): writer.write(value)
    case .evidence(let value): writer.write(value)
    case .openSession(let value): writer.write(value)
    case .endSession(let value): writer.write(value)
    case .getEnclaveStatus(let value): writer.write(value)
    case .enclaveStatus(let value): writer.write(value)
    case .enclaveIdentity(let value): writer.write(value)
    case .allocateSubnet(let value): writer.write(value)
    case .releaseSubnet(let value): writer.write(value)
    }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      let number = try reader.uint()
      guard let kind = UInt8(exactly: number).flatMap({ Kind(rawValue: $0) }) else {
        throw .invalidValue(field: "message number")
      }
      func empty(_ message: Message) throws(WireError) -> Message {
        guard reader.takeNull() else { throw .invalidValue(field: "body of message \(number)") }
        return message
      }
      switch kind {
      case .acknowledged: return try empty(.acknowledged)
      case .getStatus: return try empty(.getStatus)
      case .status: return .status(try reader.list(maximum: StatusItem.maximumItems))
      case .consensus: return .consensus(try reader.value())
      case .ledger: return .ledger(try reader.value())
      case .transaction: return .transaction(try reader.value())
      case .submit: return .submit(try reader.value())
      case .submitted: return .submitted(try reader.value())
      case .getEntries: return .getEntries(try reader.value())
      case .entries: return .entries(try reader.value())
      case .getSnapshot: return .getSnapshot(try reader.value())
      case .snapshot: return .snapshot(try reader.value())
      case .getSnapshotChunk: return .getSnapshotChunk(try reader.value())
      case .snapshotChunk: return .snapshotChunk(try reader.value())
      case .witness: return .witness(try reader.value())
      case .approval: return .approval(try reader.value())
      case .getTerms: return try empty(.getTerms)
      case .terms: return .terms(try reader.value())
      case .getQuote: return .getQuote(epochs: try reader.value())
      case .quote: return .quote(try reader.value())
      case .getHistory: return try empty(.getHistory)
      case .history: return .history(try reader.list(maximum: Message.maximumHistory))
      case .activate: return .activate(try reader.value())
      case .activationRequested: return .activationRequested(try reader.value())
      case .proposeSettlement: return .proposeSettlement(try reader.value())
      case .requestHandover: return .requestHandover(try reader.value())
      case .proposeSegment: return .proposeSegment(try reader.value())
      case .inviteToFlow: return .inviteToFlow(try reader.value())
      case .flowAccepted: return .flowAccepted(try reader.value())
      case .getEpochMaterial: return .getEpochMaterial(try reader.value())
      case .epochMaterial: return .epochMaterial(try reader.value())
      case .settleEpoch: return .settleEpoch(try reader.value())
      case .updateBooking: return .updateBooking(try reader.value())
      case .openFlow: return .openFlow(try reader.value())
      case .flowOpened: return .flowOpened(try reader.value())
      case .commit: return .commit(try reader.value())
      case .reveal: return .reveal(try reader.value())
      case .revealed: return .revealed(try reader.value())
      case .submitRecord: return .submitRecord(try reader.value())
      case .getReceipts: return .getReceipts(try reader.value())
      case .receipts: return .receipts(try reader.value())
      case .pair: return .pair(try reader.value())
      case .paired: return .paired(try reader.value())
      case .openService: return .openService(try reader.value())
      case .closeService: return .closeService(try reader.value())
      case .getServiceReport: return .getServiceReport(try reader.value())
      case .serviceReport: return .serviceReport(try reader.value())
      case .serviceOpened: return .serviceOpened(try reader.value())
      case .routeService: return .routeService(try reader.value())
      case .getEvidence: return .getEvidence(nonce: try reader.value())
      case .evidence: return .evidence(try reader.value())
      case .openSession: return .openSession(try reader.value())
      case .endSession: return .endSession(try reader.value())
      case .getEnclaveStatus: return .getEnclaveStatus(try reader.value())
      case .enclaveStatus: return .enclaveStatus(try reader.value())
      case .getEnclaveIdentity: return try empty(.getEnclaveIdentity)
      case .enclaveIdentity: return .enclaveIdentity(try reader.value())
      case .allocateSubnet: return .allocateSubnet(try reader.value())
      case .releaseSubnet: return .releaseSubnet(try reader.value())
      }
    }
  }
}

extension Message: Verifiable {
  public func signatureChecks(in context: VerificationContext) throws(VerificationError) -> [SignatureCheck] {
    switch self {
    case .consensus(let value): return try value.signatureChecks(in: context)
    case .ledger(let value): return try value.signatureChecks(in: context)
    case .transaction(let value): return try value.signatureChecks(in: context)
    case .submit(let value): return try value.signatureChecks(in: context)
    case .activate(let value): return try value.signatureChecks(in: context)
    case .proposeSettlement(let value): return try value.signatureChecks(in: context)
    case .openFlow(let value): return try value.signatureChecks(in: context)
    case .flowOpened(let value): return try value.signatureChecks(in: context)
    case .commit(let value): return try value.signatureChecks(in: context)
    case .reveal(let value): return try value.signatureChecks(in: context)
    case .revealed(let value): return try value.signatureChecks(in: context)
    case .submitRecord(let value): return try value.signatureChecks(in: context)
    case .serviceReport(let value): return try value.signatureChecks(in: context)
    case .evidence(let value): return [try value.namedSignerCheck(AttestationEvidence.self, in: context)]
    case .enclaveStatus(let value): return try value.signatureChecks(in: context)
    case .entries(let value): return try value.signatureChecks(in: context)
    case .snapshot(let value): return try value.signatureChecks(in: context)
    case .submitted(let value): return try value.signatureChecks(in: context)
    case .witness(let value): return try value.signatureChecks(in: context)
    case .approval(let value): return [try value.approvalCheck(in: context)]
    case .proposeSegment(let value): return try value.signatureChecks(in: context)
    case .epochMaterial(let value): return try value.signatureChecks(in: context)
    case .settleEpoch(let value): return try value.signatureChecks(in: context)
    case .receipts(let value): return try value.signatureChecks(in: context)
    case .pair(let value): return try value.signatureChecks(in: context)
    case .paired(let value): return try value.signatureChecks(in: context)
    case .inviteToFlow(let value): return try value.order.consentChecks(in: context)
    case .flowAccepted(let value): return try value.consentChecks(in: context)
    case .acknowledged,
      .getStatus,
      .status,
      .getTerms,
      .terms,
      .getQuote,
      .quote,
      .getHistory,
      .history,
      .activationRequested,
      .openService,
      .closeService,
      .getServiceReport,
      .getEvidence,
      .openSession,
      .endSession,
      .getEnclaveStatus,
      .getEnclaveIdentity,
      .enclaveIdentity,
      .getEntries,
      .getSnapshot,
      .getSnapshotChunk,
      .snapshotChunk,
      .requestHandover,
      .getEpochMaterial,
      .updateBooking,
      .getReceipts,
      .serviceOpened,
      .routeService,
      .allocateSubnet,
      .releaseSubnet:
      return []
    }
  }
}
