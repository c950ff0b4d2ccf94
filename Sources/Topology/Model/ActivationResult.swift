import Messages

/// What really came of an activation, as far as the ledger, its last record and the watched edges tell.
public struct ActivationResult: Hashable, Sendable {
  /// A stretch under one contract.
  public struct Segment: Hashable, Sendable {
    public var contract: Topology.ContractReference
    public var epochs: EpochCounters
    /// In contract order; empty when there is no record.
    public var rules: [RuleCounters]

    public init(contract: Topology.ContractReference, epochs: EpochCounters, rules: [RuleCounters]) {
      self.contract = contract
      self.epochs = epochs
      self.rules = rules
    }
  }

  public var state: ActivationState
  public var statusInfo: StatusInfo?
  public var settlement: SettlementKind?
  /// In order of time.
  public var segments: [Segment]
  public var handovers: UInt64
  /// Nil where no edge was watched.
  public var droppedByPolicy: UInt64?
  public var money: ActivationMoney

  public init(
    state: ActivationState, statusInfo: StatusInfo?, settlement: SettlementKind?, segments: [Segment],
    handovers: UInt64, droppedByPolicy: UInt64?, money: ActivationMoney
  ) {
    self.state = state
    self.statusInfo = statusInfo
    self.settlement = settlement
    self.segments = segments
    self.handovers = handovers
    self.droppedByPolicy = droppedByPolicy
    self.money = money
  }

  /// Of all segments.
  public var epochs: EpochCounters {
    segments.reduce(into: EpochCounters()) { sum, segment in
      sum.met.add(segment.epochs.met)
      sum.violated.add(segment.epochs.violated)
      sum.inconclusive.add(segment.epochs.inconclusive)
      sum.contested.add(segment.epochs.contested)
      sum.notServed.add(segment.epochs.notServed)
    }
  }

  /// Of the rules with that name in all segments' contracts; the longest bad run is that of one segment.
  public func counters(ofRule name: String, in topology: Topology) -> RuleCounters {
    segments.reduce(into: RuleCounters()) { sum, segment in
      guard let index = topology.contract(segment.contract)?.rules.firstIndex(where: { $0.name == name }),
        index < segment.rules.count
      else { return }
      let counters = segment.rules[index]
      sum.met.add(counters.met)
      sum.violated.add(counters.violated)
      sum.inconclusive.add(counters.inconclusive)
      sum.contested.add(counters.contested)
      sum.longestBadRun = max(sum.longestBadRun, counters.longestBadRun)
    }
  }
}

extension UInt64 {
  /// Counters of a record are whatever its signers wrote: sums of them stop at the largest number.
  fileprivate mutating func add(_ other: UInt64) {
    let (sum, overflow) = addingReportingOverflow(other)
    self = overflow ? .max : sum
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
