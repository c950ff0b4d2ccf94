import Effects
import Messages
import Signing
import Wire

/// Observations between two processes of one build: nothing is kept, nothing is signed, so there is no version.
extension Observation: WireCodable {
  private enum Kind: UInt64 { case blockFinal = 1, activation, epochRecorded, counted, note }

  public func encode(to writer: inout CBORWriter) {
    switch self {
    case .blockFinal(let height, let view, let transactions, let time):
      writer.array(5)
      writer.write(Kind.blockFinal.rawValue)
      writer.write(height)
      writer.write(view)
      writer.write(UInt64(transactions))
      writer.write(time)
    case .activation(let id, let step):
      writer.array(3)
      writer.write(Kind.activation.rawValue)
      writer.write(id)
      writer.write(step)
    case .epochRecorded(let id, let record):
      writer.array(3)
      writer.write(Kind.epochRecorded.rawValue)
      writer.write(id)
      writer.write(record)
    case .counted(let name, let amount):
      writer.array(3)
      writer.write(Kind.counted.rawValue)
      writer.write(WireText(name))
      writer.write(amount)
    case .note(let severity, let text):
      writer.array(3)
      writer.write(Kind.note.rawValue)
      writer.write(severity == .warning)
      writer.write(WireText(text))
    }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.array(maximum: 5) { (reader, count) throws(WireError) in
      switch (Kind(rawValue: try reader.uint()), count) {
      case (.blockFinal, 5):
        return .blockFinal(
          height: try reader.uint(), view: try reader.uint(),
          transactions: Int(try reader.uint(UInt32.self, field: "transactions")), blockTime: try reader.value())
      case (.activation, 3): return .activation(try reader.value(), try reader.value())
      case (.epochRecorded, 3): return .epochRecorded(try reader.value(), try reader.value())
      case (.counted, 3):
        let name: WireText = try reader.value()
        return .counted(name.text, by: try reader.uint())
      case (.note, 3):
        let severity: Severity = try reader.bool() ? .warning : .information
        let text: WireText = try reader.value()
        return .note(severity, text.text)
      default: throw .invalidValue(field: "observation")
      }
    }
  }
}

extension ActivationStep: WireCodable {
  private enum Kind: UInt64 {
    case submitted = 1
    case requested, sliceFound, sliceRejected, reserved, flowOpen, serving, delivered, settlementProposed, ended
    case refused, droppedByPolicy
  }

  public func encode(to writer: inout CBORWriter) {
    func begin(_ kind: Kind, _ items: Int = 0) {
      writer.array(1 + items)
      writer.write(kind.rawValue)
    }
    switch self {
    case .submitted(let label, let contract, let customer):
      begin(.submitted, 3)
      writer.write(WireText(label))
      writer.write(contract)
      writer.write(WireText(customer))
    case .requested: begin(.requested)
    case .sliceFound(let plan):
      begin(.sliceFound, 1)
      writer.write(plan)
    case .sliceRejected(let reason, let recommended):
      begin(.sliceRejected, 2)
      writer.write(reason)
      writer.write(optional: recommended)
    case .reserved(let startAt):
      begin(.reserved, 1)
      writer.write(startAt)
    case .flowOpen: begin(.flowOpen)
    case .serving: begin(.serving)
    case .droppedByPolicy(let epoch, let packets):
      begin(.droppedByPolicy, 2)
      writer.write(epoch)
      writer.write(packets)
    case .delivered: begin(.delivered)
    case .settlementProposed: begin(.settlementProposed)
    case .ended(let change):
      begin(.ended, 1)
      writer.write(change)
    case .refused(let reason):
      begin(.refused, 1)
      writer.write(WireText(reason))
    }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.array(maximum: 4) { (reader, count) throws(WireError) in
      switch (Kind(rawValue: try reader.uint()), count) {
      case (.submitted, 4):
        let label: WireText = try reader.value()
        let contract: ContractID = try reader.value()
        let customer: WireText = try reader.value()
        return .submitted(label: label.text, contract: contract, customer: customer.text)
      case (.requested, 1): return .requested
      case (.sliceFound, 2): return .sliceFound(try reader.value())
      case (.sliceRejected, 3): return .sliceRejected(try reader.value(), try reader.optional())
      case (.reserved, 2): return .reserved(startAt: try reader.value())
      case (.flowOpen, 1): return .flowOpen
      case (.serving, 1): return .serving
      case (.delivered, 1): return .delivered
      case (.settlementProposed, 1): return .settlementProposed
      case (.ended, 2): return .ended(try reader.value())
      case (.droppedByPolicy, 3):
        return .droppedByPolicy(epoch: try reader.uint(), packets: try reader.uint())
      case (.refused, 2):
        let reason: WireText = try reader.value()
        return .refused(reason.text)
      default: throw .invalidValue(field: "activation step")
      }
    }
  }
}
