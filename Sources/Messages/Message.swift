import Signing
import Wire

/// Everything that travels on the bus: one closed list. On the wire `[number, body]`; numbers are never reused.
/// Requests and their answers stand together; a published message says under which ``Topic``.
public enum Message: Hashable, Sendable {
  // 0–9: any actor
  case acknowledged
  case getStatus
  case status([StatusItem])
  // 30–39: contracts
  case getTerms
  case terms(ContractDescription)
  case getQuote(epochs: UInt64)
  case quote(Quote)
  case getHistory
  case history([ActivationChange])

  public var number: UInt8 {
    switch self {
    case .acknowledged: 0
    case .getStatus: 1
    case .status: 2
    case .getTerms: 30
    case .terms: 31
    case .getQuote: 32
    case .quote: 33
    case .getHistory: 34
    case .history: 35
    }
  }
}

extension Message: WireCodable {
  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(UInt64(number))
    switch self {
    case .acknowledged, .getStatus, .getTerms, .getHistory: writer.writeNull()
    case .status(let items): writer.write(list: items)
    case .terms(let description): writer.write(description)
    case .getQuote(let epochs): writer.write(epochs)
    case .quote(let quote): writer.write(quote)
    case .history(let changes): writer.write(list: changes)
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
      case 30: return try empty(.getTerms)
      case 31: return .terms(try reader.value())
      case 32: return .getQuote(epochs: try reader.uint())
      case 33: return .quote(try reader.value())
      case 34: return try empty(.getHistory)
      case 35: return .history(try reader.list())
      default: throw .invalidValue(field: "message number")
      }
    }
  }
}

extension Message: Verifiable {
  public func signatureChecks(in context: VerificationContext) throws(VerificationError) -> [SignatureCheck] {
    switch self {
    case .acknowledged, .getStatus, .status, .getTerms, .terms, .getQuote, .quote, .getHistory, .history: []
    }
  }
}
