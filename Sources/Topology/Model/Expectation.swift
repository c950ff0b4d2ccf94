import Messages

extension Topology {
  /// What an activation of the file should end in. Counts are ranges: a busy machine may turn a MET epoch into an
  /// INCONCLUSIVE one, and a test that forbids it would be testing the machine.
  public struct Expectation: Hashable, Sendable {
    public var state: ActivationState
    public var statusInfo: StatusInfo?
    public var settlement: SettlementKind?
    /// Which contract was bought; for orders that name none.
    public var contract: ContractReference?
    /// By epoch outcome, over all segments; what is not named is not checked.
    public var epochs: [EpochExpectation]
    /// By rule, over all segments whose contract has a rule of that name; what is not named is not checked.
    public var rules: [RuleExpectation]
    /// The first booking and every Extend or Renegotiate that stands on the ledger.
    public var segments: CountRange?
    /// Of both ends together.
    public var handovers: CountRange?
    /// Packets that edges dropped because the contract does not allow them.
    public var droppedByPolicy: CountRange?
    public var paid: CountRange?
    public var refunded: CountRange?
    public var penalty: CountRange?

    public init(
      state: ActivationState, statusInfo: StatusInfo? = nil, settlement: SettlementKind? = nil,
      contract: ContractReference? = nil, epochs: [EpochExpectation] = [], rules: [RuleExpectation] = [],
      segments: CountRange? = nil, handovers: CountRange? = nil, droppedByPolicy: CountRange? = nil,
      paid: CountRange? = nil, refunded: CountRange? = nil, penalty: CountRange? = nil
    ) {
      self.state = state
      self.statusInfo = statusInfo
      self.settlement = settlement
      self.contract = contract
      self.epochs = epochs
      self.rules = rules
      self.segments = segments
      self.handovers = handovers
      self.droppedByPolicy = droppedByPolicy
      self.paid = paid
      self.refunded = refunded
      self.penalty = penalty
    }
  }

  /// What an epoch can come to; ``EpochCounters`` has one counter for each.
  public enum EpochOutcome: String, Sendable, CaseIterable {
    case met, violated, inconclusive, contested, notServed
  }

  public struct EpochExpectation: Hashable, Sendable {
    public var outcome: EpochOutcome
    public var count: CountRange

    public init(outcome: EpochOutcome, count: CountRange) {
      self.outcome = outcome
      self.count = count
    }
  }

  public struct RuleExpectation: Hashable, Sendable {
    /// Name of the rule in the contract.
    public var rule: String
    public var verdict: Verdict
    public var count: CountRange

    public init(rule: String, verdict: Verdict, count: CountRange) {
      self.rule = rule
      self.verdict = verdict
      self.count = count
    }
  }

  /// `least…most`, both included. In the file `3`, `3..5` or `3..`.
  public struct CountRange: Hashable, Sendable, CustomStringConvertible {
    public var least: UInt64
    public var most: UInt64

    public init(least: UInt64, most: UInt64) {
      self.least = least
      self.most = most
    }

    public func contains(_ count: UInt64) -> Bool { least <= count && count <= most }

    public var description: String {
      if least == most { return "\(least)" }
      return most == .max ? "\(least).." : "\(least)..\(most)"
    }
  }
}

extension Topology.Expectation {
  /// Every way in which a result differs from what was expected, as sentences; none when it fits.
  public func differences(from result: ActivationResult, in topology: Topology) -> [String] {
    var differences: [String] = []
    func compare(_ what: String, _ expected: String?, _ found: String?) {
      guard let expected, expected != found else { return }
      differences.append("\(what): expected \(expected), found \(found ?? "none")")
    }
    func compare(_ what: String, _ expected: Topology.CountRange?, _ found: UInt64) {
      guard let expected, !expected.contains(found) else { return }
      differences.append("\(what): expected \(expected), found \(found)")
    }
    compare("state", state.name, result.state.name)
    compare("statusInfo", statusInfo?.name, result.statusInfo?.name)
    compare("settlement", settlement?.name, result.settlement?.name)
    compare("contract", contract?.description, result.segments.first?.contract.description)
    for expected in epochs {
      compare("epochs \(expected.outcome.rawValue)", expected.count, result.epochs.count(of: expected.outcome))
    }
    for expected in rules {
      let count = result.counters(ofRule: expected.rule, in: topology).count(of: expected.verdict)
      compare("rule \(expected.rule) \(expected.verdict)", expected.count, count)
    }
    compare("segments", segments, UInt64(result.segments.count))
    compare("handovers", handovers, result.handovers)
    // Only edges know; where none of them is watched, there is nothing to compare.
    if let dropped = result.droppedByPolicy { compare("droppedByPolicy", droppedByPolicy, dropped) }
    compare("paid", paid, result.money.paid)
    compare("refunded", refunded, result.money.refunded)
    compare("penalty", penalty, result.money.penalty)
    return differences
  }
}
