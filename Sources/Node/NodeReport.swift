import Bus
import Effects
import Messages
import Roles
import Signing
import Wire

/// What a node tells the process that started it: frames (Hosting.LaunchChannel) on its standard output. It only shows:
/// what came of a scenario is read from the ledger.
enum NodeReport: Sendable {
  /// Its actors are reachable.
  case ready
  case observed(ActorAddress, Observation)
  /// How far a customer's plan has come.
  case progress(customer: String, [PlanProgress])
  /// What its processes have carried in this life.
  case carried(CarriedTraffic)

  static let maximumBytes = 4 << 20
  static let maximumPlans = 65_536

  /// Whether an observation is worth a report: lines and counts are in the node's own log.
  static func isReported(_ actor: ActorAddress, _ observation: Observation) -> Bool {
    switch observation {
    case .blockFinal: actor.role == .validator
    case .activation, .epochRecorded: true
    case .counted, .note: false
    }
  }
}

/// How far one planned activation has come, as its customer says.
struct PlanProgress: Hashable, Sendable, WireCodable {
  var activation: ActivationID?
  /// For people.
  var stage: String
  /// Why it never became an activation of the ledger, if it did not.
  var refusal: String?

  init(activation: ActivationID?, stage: String, refusal: String?) {
    self.activation = activation
    self.stage = stage
    self.refusal = refusal
  }

  init(_ progress: CustomerCore.Progress) {
    self.init(activation: progress.activation, stage: progress.stage, refusal: progress.refusal)
  }

  func encode(to writer: inout CBORWriter) {
    writer.array(3)
    writer.write(optional: activation)
    writer.write(WireText(stage))
    writer.write(optional: refusal.map { WireText($0) })
  }

  init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(3) { (reader) throws(WireError) in
      let activation = try reader.optional(ActivationID.self)
      let stage: WireText = try reader.value()
      return PlanProgress(
        activation: activation, stage: stage.text, refusal: try reader.optional(WireText.self)?.text)
    }
  }
}

/// A text where a value is wanted.
struct WireText: Hashable, Sendable, WireCodable {
  static let maximumBytes = 4096
  let text: String

  init(_ text: String) { self.text = String(decoding: text.utf8.prefix(Self.maximumBytes - 3), as: UTF8.self) }

  func encode(to writer: inout CBORWriter) { writer.write(text) }
  init(from reader: inout CBORReader) throws(WireError) { text = try reader.text(maximum: Self.maximumBytes) }
}

extension NodeReport: WireCodable {
  private enum Kind: UInt64 { case ready = 1, observed, progress, carried }

  func encode(to writer: inout CBORWriter) {
    switch self {
    case .ready:
      writer.array(1)
      writer.write(Kind.ready.rawValue)
    case .observed(let actor, let observation):
      writer.array(3)
      writer.write(Kind.observed.rawValue)
      writer.write(actor)
      writer.write(observation)
    case .progress(let customer, let plans):
      writer.array(3)
      writer.write(Kind.progress.rawValue)
      writer.write(customer)
      writer.write(list: plans)
    case .carried(let traffic):
      writer.array(2)
      writer.write(Kind.carried.rawValue)
      writer.write(traffic)
    }
  }

  init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.array(maximum: 3) { (reader, count) throws(WireError) in
      switch (Kind(rawValue: try reader.uint()), count) {
      case (.ready, 1): return .ready
      case (.observed, 3): return .observed(try reader.value(), try reader.value())
      case (.progress, 3):
        return .progress(
          customer: try reader.text(maximum: ActorAddress.maximumNameBytes),
          try reader.list(maximum: Self.maximumPlans))
      case (.carried, 2): return .carried(try reader.value())
      default: throw .invalidValue(field: "node report")
      }
    }
  }
}
