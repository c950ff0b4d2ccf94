import Messages

extension Topology {
  /// What an activation of the file should end in. Counts are ranges: a busy machine may turn a MET epoch into an
  /// INCONCLUSIVE one, and a test that forbids it would be testing the machine.
  public struct Expectation: Hashable, Sendable {
    public var state: ActivationState
    public var statusInfo: StatusInfo?
    public var settlement: SettlementKind?
    /// By epoch outcome; what is not named is not checked.
    public var epochs: [EpochExpectation]
    /// By rule; what is not named is not checked.
    public var rules: [RuleExpectation]
    public var paid: CountRange?
    public var refunded: CountRange?
    public var penalty: CountRange?

    public init(
      state: ActivationState, statusInfo: StatusInfo? = nil, settlement: SettlementKind? = nil,
      epochs: [EpochExpectation] = [], rules: [RuleExpectation] = [], paid: CountRange? = nil,
      refunded: CountRange? = nil, penalty: CountRange? = nil
    ) {
      self.state = state
      self.statusInfo = statusInfo
      self.settlement = settlement
      self.epochs = epochs
      self.rules = rules
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

/// What really came of an activation, as far as the ledger and its last record tell.
public struct ActivationResult: Hashable, Sendable {
  public var state: ActivationState
  public var statusInfo: StatusInfo?
  public var settlement: SettlementKind?
  public var epochs: EpochCounters
  /// In contract order.
  public var rules: [RuleCounters]
  public var money: ActivationMoney

  public init(
    state: ActivationState, statusInfo: StatusInfo?, settlement: SettlementKind?, epochs: EpochCounters,
    rules: [RuleCounters], money: ActivationMoney
  ) {
    self.state = state
    self.statusInfo = statusInfo
    self.settlement = settlement
    self.epochs = epochs
    self.rules = rules
    self.money = money
  }
}

extension Topology.Expectation {
  /// Every way in which a result differs from what was expected, as sentences; none when it fits.
  public func differences(from result: ActivationResult, in contract: Topology.Contract) -> [String] {
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
    for expected in epochs {
      compare("epochs \(expected.outcome.rawValue)", expected.count, result.epochs.count(of: expected.outcome))
    }
    for expected in rules {
      let index = contract.rules.firstIndex { $0.name == expected.rule }
      let counters = index.flatMap { $0 < result.rules.count ? result.rules[$0] : nil } ?? RuleCounters()
      compare("rule \(expected.rule) \(expected.verdict)", expected.count, counters.count(of: expected.verdict))
    }
    compare("paid", paid, result.money.paid)
    compare("refunded", refunded, result.money.refunded)
    compare("penalty", penalty, result.money.penalty)
    return differences
  }
}

extension EpochCounters {
  func count(of outcome: Topology.EpochOutcome) -> UInt64 {
    switch outcome {
    case .met: met
    case .violated: violated
    case .inconclusive: inconclusive
    case .contested: contested
    case .notServed: notServed
    }
  }
}

extension RuleCounters {
  func count(of verdict: Verdict) -> UInt64 {
    switch verdict {
    case .met: met
    case .violated: violated
    case .inconclusive: inconclusive
    case .contested: contested
    }
  }
}
