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
  case submitted(Digest)
  // 20–29: reading the ledger
  case getEntries(EntriesRequest)
  case entries(ProvenEntries)
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

  public var number: UInt8 {
    switch self {
    case .acknowledged: 0
    case .getStatus: 1
    case .status: 2
    case .consensus: 10
    case .ledger: 11
    case .transaction: 12
    case .submit: 13
    case .submitted: 14
    case .getEntries: 20
    case .entries: 21
    case .getTerms: 30
    case .terms: 31
    case .getQuote: 32
    case .quote: 33
    case .getHistory: 34
    case .history: 35
    case .activate: 36
    case .activationRequested: 40
    case .proposeSettlement: 41
    case .requestHandover: 42
    case .proposeSegment: 43
    case .inviteToFlow: 44
    case .flowAccepted: 45
    case .getEpochMaterial: 46
    case .epochMaterial: 47
    case .settleEpoch: 48
    case .updateBooking: 49
    case .openFlow: 50
    case .flowOpened: 51
    case .commit: 52
    case .reveal: 53
    case .revealed: 54
    case .submitRecord: 55
    case .getReceipts: 56
    case .receipts: 57
    case .pair: 58
    case .paired: 59
    case .openService: 60
    case .closeService: 61
    case .getServiceReport: 62
    case .serviceReport: 63
    case .serviceOpened: 64
    case .routeService: 65
    case .getEvidence: 70
    case .evidence: 71
    case .openSession: 80
    case .endSession: 81
    case .getEnclaveStatus: 82
    case .enclaveStatus: 83
    case .getEnclaveIdentity: 84
    case .enclaveIdentity: 85
    case .allocateSubnet: 90
    case .releaseSubnet: 91
    }
  }
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
      func empty(_ message: Message) throws(WireError) -> Message {
        guard reader.takeNull() else { throw .invalidValue(field: "body of message \(number)") }
        return message
      }
      switch number {
      case 0: return try empty(.acknowledged)
      case 1: return try empty(.getStatus)
      case 2: return .status(try reader.list(maximum: StatusItem.maximumItems))
      case 10: return .consensus(try reader.value())
      case 11: return .ledger(try reader.value())
      case 12: return .transaction(try reader.value())
      case 13: return .submit(try reader.value())
      case 14: return .submitted(try reader.value())
      case 20: return .getEntries(try reader.value())
      case 21: return .entries(try reader.value())
      case 30: return try empty(.getTerms)
      case 31: return .terms(try reader.value())
      case 32: return .getQuote(epochs: try reader.value())
      case 33: return .quote(try reader.value())
      case 34: return try empty(.getHistory)
      case 35: return .history(try reader.list(maximum: Message.maximumHistory))
      case 36: return .activate(try reader.value())
      case 40: return .activationRequested(try reader.value())
      case 41: return .proposeSettlement(try reader.value())
      case 42: return .requestHandover(try reader.value())
      case 43: return .proposeSegment(try reader.value())
      case 44: return .inviteToFlow(try reader.value())
      case 45: return .flowAccepted(try reader.value())
      case 46: return .getEpochMaterial(try reader.value())
      case 47: return .epochMaterial(try reader.value())
      case 48: return .settleEpoch(try reader.value())
      case 49: return .updateBooking(try reader.value())
      case 50: return .openFlow(try reader.value())
      case 51: return .flowOpened(try reader.value())
      case 52: return .commit(try reader.value())
      case 53: return .reveal(try reader.value())
      case 54: return .revealed(try reader.value())
      case 55: return .submitRecord(try reader.value())
      case 56: return .getReceipts(try reader.value())
      case 57: return .receipts(try reader.value())
      case 58: return .pair(try reader.value())
      case 59: return .paired(try reader.value())
      case 60: return .openService(try reader.value())
      case 61: return .closeService(try reader.value())
      case 62: return .getServiceReport(try reader.value())
      case 63: return .serviceReport(try reader.value())
      case 64: return .serviceOpened(try reader.value())
      case 65: return .routeService(try reader.value())
      case 70: return .getEvidence(nonce: try reader.value())
      case 71: return .evidence(try reader.value())
      case 80: return .openSession(try reader.value())
      case 81: return .endSession(try reader.value())
      case 82: return .getEnclaveStatus(try reader.value())
      case 83: return .enclaveStatus(try reader.value())
      case 84: return try empty(.getEnclaveIdentity)
      case 85: return .enclaveIdentity(try reader.value())
      case 90: return .allocateSubnet(try reader.value())
      case 91: return .releaseSubnet(try reader.value())
      default: throw .invalidValue(field: "message number")
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
      .submitted,
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
