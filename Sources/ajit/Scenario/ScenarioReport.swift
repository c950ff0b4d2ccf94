import Bus
import Messages
import Topology

/// What came of a scenario, whoever ran it: node or simulator. The end tables, the last JSON line and the exit status
/// come from here.
struct ScenarioReport {
  var name: String
  /// In the order of the topology file.
  var activations: [Activation]
  var height: Height
  var isConserved: Bool
  /// What is wrong apart from single activations: sentences.
  var problems: [String] = []
  /// Further lines for people: trace hash, virtual time.
  var remarks: [String] = []
  /// What was said for it; nil where nobody counted.
  var traffic: CarriedTraffic?

  struct Activation {
    let planned: Topology.Activation
    let customer: String
    let topology: Topology
    var id: ActivationID?
    var end: End
    var milestones = Milestones()
    /// What explains its differences from `expect:`, so that they are notes; nil when nothing does.
    var excuse: String?
  }

  enum End {
    case ended(ActivationResult)
    /// Never on the ledger: nothing was locked.
    case refused(String)
    /// Not over; the text says how far it is.
    case underWay(String)
    /// Planned for a customer that runs in this node, which somebody else started: what came of it is not judged here.
    case elsewhere(node: String)
  }

  /// When an activation got where: block times, and what its operator had to say.
  struct Milestones: Sendable {
    /// The block with its Activate.
    var requestedAt: Instant?
    /// The block with ConfirmSlice or RejectSlice.
    var answeredAt: Instant?
    /// Epoch 0 begins.
    var startAt: Instant?
    /// The block that settled or nullified it.
    var endedAt: Instant?
    var rejection: RejectionReason?
    var counterOffer: RecommendedRequirements?
  }

  /// Where times in the tables count from.
  var origin: Instant = .zero
  /// Somebody stopped it before its end: what is still under way is then no complaint.
  var isPartial = false
  /// A run was resumed before its activations were over: `expect:` speaks of an undisturbed one, so differences from it
  /// are notes. Everything must still be settled, and money conserved.
  var isInterrupted = false

  var isSettled: Bool {
    !activations.contains(where: \.isUnderWay)
  }

  /// Every activation ended as the topology expects.
  var isAsExpected: Bool { activations.allSatisfy { $0.differences.isEmpty || $0.excuse != nil } }

  var status: CommandStatus { complaints.isEmpty ? .asExpected : .notAsExpected }

  /// Everything that is not as it should be, as sentences.
  var complaints: [String] {
    problems + (isConserved ? [] : ["money is not conserved"])
      + differences { $0.isUnderWay ? !isPartial : !isInterrupted && $0.excuse == nil }
  }

  /// What is as it may be, and yet not as `expect:` says.
  var notes: [String] {
    (isInterrupted ? differences { !$0.isUnderWay }.map { "interrupted run: \($0)" } : [])
      + activations.filter { !isInterrupted && !$0.isUnderWay }.flatMap { activation in
        (activation.excuse.map { excuse in differences(of: activation).map { "\(excuse): \($0)" } }) ?? []
      }
  }

  private func differences(of isMeant: (Activation) -> Bool) -> [String] {
    activations.filter(isMeant).flatMap { differences(of: $0) }
  }

  private func differences(of activation: Activation) -> [String] {
    activation.differences.map { "\(activation.customer)/\(activation.planned.name): \($0)" }
  }
}

extension ScenarioReport {
  /// Whether a run that began at this time found an activation on the ledger that was not over. By the ledger's own
  /// times, so that it needs nobody's memory.
  func foundUnfinished(at start: Instant) -> Bool {
    activations.contains { activation in
      guard let requestedAt = activation.milestones.requestedAt, requestedAt < start else { return false }
      return (activation.milestones.endedAt ?? .distantFuture) > start
    }
  }
}

extension ScenarioReport.Activation {
  var label: String { planned.name }

  var isUnderWay: Bool { if case .underWay = end { true } else { false } }
  var isElsewhere: Bool { if case .elsewhere = end { true } else { false } }

  var result: ActivationResult? { if case .ended(let result) = end { result } else { nil } }

  /// Against the topology's `expect:`, as sentences.
  var differences: [String] {
    switch end {
    case .ended(let result):
      return planned.expectation?.differences(from: result, in: topology) ?? []
    case .refused(let reason): return planned.expectation == nil ? [] : ["refused: \(reason)"]
    case .underWay(let phase): return ["not over: \(phase)"]
    case .elsewhere: return []
    }
  }

  /// Which contract was bought, in words: the plan's, or the ledger's word on what the customer chose.
  var contractName: String {
    (planned.contract ?? result?.segments.first?.contract).map { "\($0)" } ?? "the cheapest offer that fits"
  }

  /// What was judged, by segment: with the contract of each, as far as the topology has it.
  var judged: [(segment: ActivationResult.Segment, contract: Topology.Contract)] {
    (result?.segments ?? []).compactMap { segment in topology.contract(segment.contract).map { (segment, $0) } }
      .filter { !$0.0.rules.isEmpty }
  }

  /// Why a rule could not be judged, as far as the plan tells.
  func remark(on rule: Topology.NamedRule, _ counters: RuleCounters, of contract: Topology.Contract) -> String? {
    guard counters.inconclusive > 0 else { return nil }
    let needed = rule.rule.minimumSamples
    guard let planned = plannedSamples(rule.rule, contract), planned < needed else {
      return "INCONCLUSIVE \(counters.inconclusive)×: too few samples were counted (it needs \(needed)), or one side"
        + " could not measure"
    }
    return "INCONCLUSIVE: too few samples: it needs \(needed), and about \(planned) were sent"
  }

  /// What the application sends in one window of a rule; nil where samples are not its packets.
  private func plannedSamples(_ rule: Rule, _ contract: Topology.Contract) -> UInt64? {
    let epoch = contract.metering.epoch
    guard rule.metric != .roundTrip else { return nil }
    let (packets, overflow) = planned.traffic(rule.direction).packetsPerSecond
      .multipliedReportingOverflow(by: rule.window)
    guard !overflow else { return nil }
    let (nanoseconds, tooMany) = packets.multipliedReportingOverflow(by: UInt64(max(0, epoch.nanoseconds)))
    return tooMany ? nil : nanoseconds / 1_000_000_000
  }
}
