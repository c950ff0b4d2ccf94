import Effects
import Messages
import Topology

/// How far each planned activation has come, gathered from what the actors let people know. The live table, the plain
/// lines and the final table all read this.
struct Scenario {
  struct Progress {
    let label: String
    let customer: String
    let contract: String
    let booked: UInt64
    /// Rule names in contract order.
    let rules: [String]
    /// Fewest samples each rule needs.
    let minimumSamples: [UInt64]
    var id: ActivationID?
    var phase = Phase.planned
    var orderedAt: Instant?
    var confirmedAt: Instant?
    var startAt: Instant?
    var endedAt: Instant?
    var lastRecord: JointRecord?
    var counterOffer: RecommendedRequirements?
    var rejection: RejectionReason?
    var change: ActivationChange?
    var refusal: String?
  }

  enum Phase: String {
    case planned, ordered, requested, stitched, rejected, reserved, serving, delivered, settling, ended, refused
  }

  let name: String
  var activations: [Progress]
  var height: Height = 0
  var transactions = 0
  /// When the first thing happened.
  private(set) var start: Instant?
  private var counts: [String: UInt64] = [:]

  init(_ topology: Topology) {
    name = topology.name
    activations = topology.customers.flatMap { customer in
      customer.activations.map { activation in
        let rules = topology.contract(activation.contract)?.rules ?? []
        return Progress(
          label: activation.name, customer: customer.name, contract: "\(activation.contract)",
          booked: activation.epochs, rules: rules.map(\.name), minimumSamples: rules.map(\.rule.minimumSamples))
      }
    }
  }

  var isOver: Bool { activations.allSatisfy { $0.phase == .ended || $0.phase == .refused } }

  /// Takes one observation.
  /// - Returns: a line worth printing, if it is one.
  mutating func take(_ actor: ActorAddress, _ observation: Observation, at now: Instant) -> String? {
    if start == nil { start = now }
    switch observation {
    case .blockFinal(let height, _, let transactions, _):
      // Every member says so; the first one counts.
      guard height > self.height else { return nil }
      self.height = height
      self.transactions += transactions
      return nil
    case .activation(let id, let step): return take(actor, id, step, at: now)
    case .epochRecorded(let id, let record):
      guard let index = index(of: id), record.epoch >= activations[index].lastRecord?.epoch ?? 0 else { return nil }
      let isNew = activations[index].lastRecord?.epoch != record.epoch
      activations[index].lastRecord = record
      return isNew ? epochLine(activations[index], record) : nil
    case .counted(let name, let count):
      counts[name, default: 0] += count
      return nil
    case .note(let severity, let text):
      return severity == .warning ? "\(actor): \(text)" : nil
    }
  }

  private func index(of id: ActivationID) -> Int? { activations.firstIndex { $0.id == id } }

  private mutating func take(
    _ actor: ActorAddress, _ id: ActivationID, _ step: ActivationStep, at now: Instant
  ) -> String? {
    if case .submitted(let label, _, let customer) = step,
      let index = activations.firstIndex(where: { $0.label == label && $0.customer == customer })
    {
      activations[index].id = id
      activations[index].orderedAt = now
      activations[index].phase = .ordered
      return "\(label): \(customer) orders \(activations[index].booked) epochs of \(activations[index].contract)"
    }
    guard let index = index(of: id) else { return nil }
    let label = activations[index].label
    switch step {
    case .submitted: return nil
    case .requested:
      activations[index].phase = .requested
      return "\(label): REQUESTED, escrow locked, final on the ledger"
    case .sliceFound(let plan):
      activations[index].phase = .stitched
      return "\(label): \(actor) stitched a slice (plan \(plan.short)) and confirms"
    case .sliceRejected(let reason, let recommended):
      activations[index].phase = .rejected
      activations[index].rejection = reason
      activations[index].counterOffer = recommended
      return "\(label): \(actor) finds no slice (\(reason)); \(Wording.counterOffer(recommended))"
    case .reserved(let startAt):
      activations[index].phase = .reserved
      activations[index].confirmedAt = now
      activations[index].startAt = startAt
      return "\(label): RESERVED, bond locked; epoch 0 begins in \(Wording.seconds(startAt - now))"
    case .flowOpen: return "\(label): enclave and edge agreed on keys and addresses"
    case .serving:
      activations[index].phase = .serving
      return nil
    case .delivered:
      activations[index].phase = .delivered
      return "\(label): every epoch is recorded by both sides"
    case .settlementProposed:
      activations[index].phase = .settling
      return nil
    case .ended(let change):
      activations[index].phase = .ended
      activations[index].endedAt = now
      activations[index].change = change
      return "\(label): \(Wording.state(change)); \(Wording.money(change.money))"
    case .refused(let reason):
      activations[index].phase = .refused
      activations[index].endedAt = now
      activations[index].refusal = reason
      return "\(label): refused (\(reason)); nothing was locked"
    }
  }

  private func epochLine(_ progress: Progress, _ record: JointRecord) -> String {
    var parts: [String] = []
    for (rule, verdict) in zip(progress.rules, record.verdicts) {
      guard let verdict, verdict != .met else { continue }
      parts.append("\(rule) \(Wording.verdict(verdict))")
    }
    let met = record.verdicts.count { $0 == .met }
    let judged = record.verdicts.count { $0 != nil }
    let rest = parts.isEmpty ? "" : ": " + parts.joined(separator: ", ")
    return "\(progress.label): epoch \(record.epoch + 1)/\(progress.booked) signed by both, "
      + (judged == 0 ? "not served" : "\(met)/\(judged) rules MET") + rest
  }
}
