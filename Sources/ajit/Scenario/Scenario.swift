import Effects
import Messages
import Topology

/// How far each planned activation has come, gathered from what the actors let people know. The live table, the lines
/// and the JSON events all come from here; the end tables do not: they come from the ledger.
struct Scenario: Sendable {
  struct Progress: Sendable {
    let label: String
    let customer: String
    let contract: String
    let booked: UInt64
    /// In contract order.
    let rules: [String]
    var id: ActivationID?
    var phase = Phase.planned
    var lastRecord: JointRecord?
    var change: ActivationChange?
  }

  /// In order: an activation never goes back, though the actors' reports may overtake each other.
  enum Phase: Int, Comparable, Sendable {
    case planned, ordered, requested, stitched, rejected, reserved, serving, delivered, settling, ended, refused

    static func < (left: Phase, right: Phase) -> Bool { left.rawValue < right.rawValue }
  }

  let name: String
  private(set) var activations: [Progress]
  private(set) var height: Height = 0
  private(set) var transactions = 0
  /// What actors counted, by name: refusals, losses, retries.
  private(set) var counts: [String: UInt64] = [:]

  init(_ topology: Topology) {
    name = topology.name
    activations = topology.customers.flatMap { customer in
      customer.activations.map { activation in
        Progress(
          label: activation.name, customer: customer.name,
          contract: activation.contract.map { "\($0)" } ?? "the cheapest offer that fits",
          booked: topology.contract(activation.contract).map { activation.epochs(under: $0) } ?? activation.epochs,
          rules: topology.contract(activation.contract)?.rules.map(\.name) ?? [])
      }
    }
  }

  /// Takes over what an earlier run on the same data directory had ordered: its customers will not say it again.
  mutating func resume(label: String, customer: String, id: ActivationID) {
    guard let index = index(label: label, customer: customer) else { return }
    activations[index].id = id
    if activations[index].phase == .planned { activations[index].phase = .ordered }
  }

  /// Takes one observation.
  /// - Returns: what is worth telling, if anything.
  mutating func take(_ actor: ActorAddress, _ observation: Observation, at now: Instant) -> News? {
    switch observation {
    case .blockFinal(let height, _, let transactions, _): return block(height, transactions, actor)
    case .activation(let id, let step): return take(actor, id, step, at: now)
    case .epochRecorded(let id, let record): return epoch(id, record)
    case .counted(let name, let count):
      counts[name, default: 0] += count
      return nil
    case .note(let severity, let text):
      return severity == .warning ? News(.warning, "\(actor): \(text)") : nil
    }
  }

  /// Every member says so; the first one counts.
  private mutating func block(_ height: Height, _ transactions: Int, _ actor: ActorAddress) -> News? {
    guard actor.role == .validator, height > self.height else { return nil }
    self.height = height
    self.transactions += transactions
    var news = News(.block, "block \(height): \(Wording.counted(transactions, "transaction"))")
    news.height = height
    news.transactions = transactions
    return news
  }

  // MARK: Activations

  private func index(label: String, customer: String) -> Int? {
    activations.firstIndex { $0.label == label && $0.customer == customer }
  }

  private mutating func take(
    _ actor: ActorAddress, _ id: ActivationID, _ step: ActivationStep, at now: Instant
  ) -> News? {
    if case .submitted(let label, _, let customer) = step, let index = index(label: label, customer: customer) {
      activations[index].id = id
    }
    guard let index = activations.firstIndex(where: { $0.id == id }),
      let (phase, text) = describe(step, of: activations[index], by: actor, at: now)
    else {
      // Refused before it had an id: the customer's plan cannot be carried out.
      if case .refused(let reason) = step { return News(.warning, "\(actor): an order was refused: \(reason)") }
      return nil
    }
    activations[index].phase = max(phase, activations[index].phase)
    if case .ended(let change) = step { activations[index].change = change }
    guard let text else { return nil }
    var news = News(.activation, "\(activations[index].label): \(text)")
    news.activation = .init(label: activations[index].label, id: id.hexadecimal, step: "\(phase)")
    return news
  }

  /// The phase a step leads to, and what is said about it.
  private func describe(
    _ step: ActivationStep, of progress: Progress, by actor: ActorAddress, at now: Instant
  ) -> (Phase, String?)? {
    switch step {
    case .submitted:
      (.ordered, "\(progress.customer) orders \(progress.booked) epochs of \(progress.contract)")
    case .requested: (.requested, "REQUESTED: on the ledger, escrow locked")
    case .sliceFound(let plan): (.stitched, "\(actor) stitched a slice (plan \(plan.short)) and confirms it")
    case .sliceRejected(let reason, let recommended):
      (.rejected, "\(actor) finds no slice (\(Wording.reason(reason))); \(Wording.counterOffer(recommended))")
    case .reserved(let startAt) where startAt > now:
      (.reserved, "RESERVED: bond locked, epoch 1 begins in \(Wording.seconds(startAt - now))")
    case .reserved: (.reserved, "RESERVED: bond locked")
    case .flowOpen: (progress.phase, "enclave and edge agreed on keys and addresses")
    case .serving: (.serving, nil)
    case .delivered: (.delivered, "every epoch is signed by both sides")
    case .settlementProposed: (.settling, nil)
    case .ended(let change): (.ended, "\(Wording.state(change)); \(Wording.money(change.money))")
    case .refused(let reason): (.refused, "refused (\(reason)); nothing was locked")
    case .droppedByPolicy(let epoch, let packets):
      (progress.phase, "\(actor) dropped \(Wording.counted(packets, "packet")) of epoch \(epoch + 1) by policy")
    }
  }

  // MARK: Epochs

  /// Edge and enclave both report a record; the first one counts.
  private mutating func epoch(_ id: ActivationID, _ record: JointRecord) -> News? {
    guard let index = activations.firstIndex(where: { $0.id == id }) else { return nil }
    if let last = activations[index].lastRecord, last.epoch >= record.epoch { return nil }
    activations[index].lastRecord = record
    var news = News(.epoch, Self.text(activations[index], record))
    news.activation = .init(
      label: activations[index].label, id: id.hexadecimal, step: "\(activations[index].phase)")
    news.epoch = .init(number: record.epoch, verdicts: record.verdicts.map { $0.map(Wording.verdict) })
    return news
  }

  private static func text(_ progress: Progress, _ record: JointRecord) -> String {
    let judged = record.verdicts.count { $0 != nil }
    let met = record.verdicts.count { $0 == .met }
    // Rules of a later segment, or of an offer that the customer chose, are not the file's.
    let isKnown = record.segments.count == 1 && progress.rules.count == record.verdicts.count
    let others = record.verdicts.enumerated().compactMap { index, verdict in
      verdict.flatMap { verdict in
        verdict == .met
          ? nil : "\(isKnown ? progress.rules[index] : "rule \(index + 1)") \(Wording.verdict(verdict))"
      }
    }
    let result = judged == 0 ? "no rule judged" : "\(met) of \(judged) rules MET"
    return (["\(progress.label): epoch \(record.epoch + 1) of \(progress.booked) signed by both: \(result)"] + others)
      .joined(separator: ", ")
  }
}
