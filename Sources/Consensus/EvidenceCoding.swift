import Messages
import Wire

/// On the wire `[number, first, second]`: two votes, or a proposal and why it is invalid.
extension ConsensusEvidence: WireCodable {
  public func encode(to writer: inout CBORWriter) {
    writer.array(3)
    switch self {
    case .conflictingNotarize(let first, let second): encode(1, first, second, to: &writer)
    case .conflictingFinalize(let first, let second): encode(2, first, second, to: &writer)
    case .nullifyFinalize(let nullify, let finalize): encode(3, nullify, finalize, to: &writer)
    case .notarizeFinalize(let notarize, let finalize): encode(4, notarize, finalize, to: &writer)
    case .invalidProposal(let proposal, let reason): encode(5, proposal, reason, to: &writer)
    }
  }

  private func encode(
    _ number: UInt64, _ first: some WireCodable, _ second: some WireCodable, to writer: inout CBORWriter
  ) {
    writer.write(number)
    first.encode(to: &writer)
    second.encode(to: &writer)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(3) { (reader) throws(WireError) in
      switch try reader.uint() {
      case 1: return .conflictingNotarize(try reader.value(), try reader.value())
      case 2: return .conflictingFinalize(try reader.value(), try reader.value())
      case 3: return .nullifyFinalize(nullify: try reader.value(), finalize: try reader.value())
      case 4: return .notarizeFinalize(notarize: try reader.value(), finalize: try reader.value())
      case 5: return .invalidProposal(try reader.value(), reason: try reader.value())
      default: throw .invalidValue(field: "number of evidence")
      }
    }
  }
}
