import Messages
import Topology

/// The last line of `up --json` and `simulate --json`.
struct ResultLine: Encodable {
  let type = "result"
  let topology: String
  /// Every activation is over.
  let settled: Bool
  /// Every `expect:` holds.
  let asExpected: Bool
  let conserved: Bool
  let height: Height
  @Nullable var data: String?
  let activations: [Activation]
  /// Everything that is not as it should be.
  let complaints: [String]
  /// A run was resumed before its activations were over: then differences from `expect:` are notes, not complaints.
  let interrupted: Bool
  let notes: [String]
  /// What was said for it on the bus and the data plane, in this run; null where nobody counted.
  @Nullable var traffic: TrafficTable?
  var simulation: Simulated?
  /// Of a simulation: how many seeds, which failed, and one hash for all.
  var seeds: Int?
  var failures: [FailureLine]?
  var traceHash: String?

  /// What only a simulation has.
  struct Simulated: Encodable {
    let seed: UInt64
    let traceHash: String
    let virtualMs: Int64
    let events: UInt64
  }

  struct Activation: Encodable {
    @Nullable var id: String?
    let label: String
    let contract: String
    let customer: String
    /// Null while it is not on the ledger.
    @Nullable var state: String?
    @Nullable var statusInfo: String?
    @Nullable var settlement: String?
    /// Not over: how far. Refused: why.
    @Nullable var remark: String?
    @Nullable var epochs: Epochs?
    @Nullable var segments: Int?
    @Nullable var handovers: UInt64?
    @Nullable var droppedByPolicy: UInt64?
    let verdicts: [Verdicts]
    @Nullable var escrow: Amount?
    @Nullable var bond: Amount?
    @Nullable var paid: Amount?
    @Nullable var refunded: Amount?
    @Nullable var penalty: Amount?
    let times: Times
    @Nullable var rejection: String?
    @Nullable var counterOffer: CounterOffer?
    /// Against `expect:`.
    let differences: [String]
  }

  struct Epochs: Encodable {
    let met, violated, inconclusive, contested, notServed: UInt64
  }

  struct Verdicts: Encodable {
    let rule: String
    /// 0 for the first booking; every Extend and Renegotiate begins another.
    let segment: Int
    let met, violated, inconclusive, contested: UInt64
    @Nullable var remark: String?
  }

  /// Nanoseconds since the Unix epoch; in a simulation, of virtual time.
  struct Times: Encodable {
    @Nullable var orderedNs: UInt64?
    @Nullable var confirmedNs: UInt64?
    @Nullable var startedNs: UInt64?
    @Nullable var endedNs: UInt64?
  }

  struct CounterOffer: Encodable {
    let throughputUp, throughputDown: UInt64
    let maximumDelayNs: Int64
    let fromNs: UInt64
  }

  init(_ report: ScenarioReport, data: String? = nil, simulation: Simulated? = nil) {
    topology = report.name
    settled = report.isSettled
    asExpected = report.isAsExpected
    conserved = report.isConserved
    height = report.height
    self.data = data
    activations = report.activations.map(Activation.init)
    complaints = report.complaints
    interrupted = report.isInterrupted
    notes = report.notes
    traffic = report.traffic.map { TrafficTable($0) }
    self.simulation = simulation
  }
}

extension ResultLine.Activation {
  init(_ activation: ScenarioReport.Activation) {
    let result = activation.result
    let remark: String? =
      switch activation.end {
      case .ended: nil
      case .refused(let text), .underWay(let text): text
      case .elsewhere(let node): "not ours: node \(node)"
      }
    let milestones = activation.milestones
    self.init(
      id: activation.id?.hexadecimal, label: activation.label, contract: activation.contractName,
      customer: activation.customer, state: result?.state.name, statusInfo: result?.statusInfo?.name,
      settlement: result?.settlement?.name, remark: remark, epochs: result.map { .init($0.epochs) },
      segments: result?.segments.count,
      handovers: result?.handovers, droppedByPolicy: result?.droppedByPolicy,
      verdicts: Self.verdicts(activation), escrow: result?.money.escrow, bond: result?.money.bond,
      paid: result?.money.paid, refunded: result?.money.refunded, penalty: result?.money.penalty,
      times: .init(
        orderedNs: milestones.requestedAt?.nanoseconds,
        confirmedNs: milestones.startAt == nil ? nil : milestones.answeredAt?.nanoseconds,
        startedNs: milestones.startAt?.nanoseconds, endedNs: milestones.endedAt?.nanoseconds),
      rejection: milestones.rejection.map(Wording.reason), counterOffer: milestones.counterOffer.map { .init($0) },
      differences: activation.differences)
  }

  private static func verdicts(_ activation: ScenarioReport.Activation) -> [ResultLine.Verdicts] {
    activation.judged.enumerated().flatMap { index, judged in
      zip(judged.contract.rules, judged.segment.rules).map { rule, counters in
        ResultLine.Verdicts(
          rule: rule.name, segment: index, met: counters.met, violated: counters.violated,
          inconclusive: counters.inconclusive, contested: counters.contested,
          remark: activation.remark(on: rule, counters, of: judged.contract))
      }
    }
  }
}

extension ResultLine.Epochs {
  init(_ epochs: EpochCounters) {
    self.init(
      met: epochs.met, violated: epochs.violated, inconclusive: epochs.inconclusive, contested: epochs.contested,
      notServed: epochs.notServed)
  }
}

extension ResultLine.CounterOffer {
  init(_ offer: RecommendedRequirements) {
    self.init(
      throughputUp: offer.throughputUp, throughputDown: offer.throughputDown,
      maximumDelayNs: offer.maximumDelay.nanoseconds, fromNs: offer.from.nanoseconds)
  }
}
