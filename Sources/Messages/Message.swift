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
  // 50–59: enclave and edge
  case openFlow(SignedMessage<FlowOpening>)
  case flowOpened(SignedMessage<FlowOpened>)
  case commit(CommitmentExchange)
  case reveal(ReceiptReveal)
  case revealed(ReceiptsRevealed)
  case submitRecord(RecordSubmission)
  // 60–69: controller and edge
  case openService(ServiceOrder)
  case closeService(ActivationID)
  case getServiceReport(ReportRequest)
  case serviceReport(ServiceReport)
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
    case .getTerms: 30
    case .terms: 31
    case .getQuote: 32
    case .quote: 33
    case .getHistory: 34
    case .history: 35
    case .activate: 36
    case .activationRequested: 40
    case .proposeSettlement: 41
    case .openFlow: 50
    case .flowOpened: 51
    case .commit: 52
    case .reveal: 53
    case .revealed: 54
    case .submitRecord: 55
    case .openService: 60
    case .closeService: 61
    case .getServiceReport: 62
    case .serviceReport: 63
    case .getEvidence: 70
    case .evidence: 71
    case .openSession: 80
    case .endSession: 81
    case .getEnclaveStatus: 82
    case .enclaveStatus: 83
    case .getEnclaveIdentity: 84
    case .enclaveIdentity: 85
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
    case .terms(let value): writer.write(value)
    case .getQuote(let value): writer.write(value)
    case .quote(let value): writer.write(value)
    case .history(let value): writer.write(list: value)
    case .activate(let value): writer.write(value)
    case .activationRequested(let value): writer.write(value)
    case .proposeSettlement(let value): writer.write(value)
    case .openFlow(let value): writer.write(value)
    case .flowOpened(let value): writer.write(value)
    case .commit(let value): writer.write(value)
    case .reveal(let value): writer.write(value)
    case .revealed(let value): writer.write(value)
    case .submitRecord(let value): writer.write(value)
    case .openService(let value): writer.write(value)
    case .closeService(let value): writer.write(value)
    case .getServiceReport(let value): writer.write(value)
    case .serviceReport(let value): writer.write(value)
    case .getEvidence(let value): writer.write(value)
    case .evidence(let value): writer.write(value)
    case .openSession(let value): writer.write(value)
    case .endSession(let value): writer.write(value)
    case .getEnclaveStatus(let value): writer.write(value)
    case .enclaveStatus(let value): writer.write(value)
    case .enclaveIdentity(let value): writer.write(value)
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
      case 30: return try empty(.getTerms)
      case 31: return .terms(try reader.value())
      case 32: return .getQuote(epochs: try reader.value())
      case 33: return .quote(try reader.value())
      case 34: return try empty(.getHistory)
      case 35: return .history(try reader.list(maximum: Message.maximumHistory))
      case 36: return .activate(try reader.value())
      case 40: return .activationRequested(try reader.value())
      case 41: return .proposeSettlement(try reader.value())
      case 50: return .openFlow(try reader.value())
      case 51: return .flowOpened(try reader.value())
      case 52: return .commit(try reader.value())
      case 53: return .reveal(try reader.value())
      case 54: return .revealed(try reader.value())
      case 55: return .submitRecord(try reader.value())
      case 60: return .openService(try reader.value())
      case 61: return .closeService(try reader.value())
      case 62: return .getServiceReport(try reader.value())
      case 63: return .serviceReport(try reader.value())
      case 70: return .getEvidence(nonce: try reader.value())
      case 71: return .evidence(try reader.value())
      case 80: return .openSession(try reader.value())
      case 81: return .endSession(try reader.value())
      case 82: return .getEnclaveStatus(try reader.value())
      case 83: return .enclaveStatus(try reader.value())
      case 84: return try empty(.getEnclaveIdentity)
      case 85: return .enclaveIdentity(try reader.value())
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
      .enclaveIdentity:
      return []
    }
  }
}
