import Messages

/// A standardized 5G QoS characteristic, and the rules it stands for in a contract.
///
/// Source: 3GPP TS 23.501, table 5.7.4-1 "Standardized 5QI to QoS characteristics mapping"; the numbers below are its
/// packet delay budget and packet error rate. The budget holds between the device and the anchor of the user plane,
/// one way. 23.501 wants it kept for 98 % of packets (§5.7.3.4), or counts a late packet of a delay-critical flow as
/// lost; here it is judged at the 99th percentile with lost packets infinitely late, which is stricter than the former.
struct FiveQI: Hashable {
  enum ResourceType {
    case guaranteedBitRate
    case delayCriticalGuaranteedBitRate
    case nonGuaranteedBitRate
  }

  let number: UInt64
  let name: String
  let resourceType: ResourceType
  let packetDelayBudget: Span
  /// Parts per billion.
  let packetErrorRate: UInt64
  /// What 23.501 gives as an example.
  let example: String

  private init(
    _ number: UInt64, _ resourceType: ResourceType, budget milliseconds: Int64, errors exponent: Int, _ example: String
  ) {
    self.number = number
    self.name = number == Self.bestEffortNumber ? "best-effort" : "5qi-\(number)"
    self.resourceType = resourceType
    self.packetDelayBudget = .milliseconds(milliseconds)
    self.packetErrorRate = (0..<exponent).reduce(Quantity.one) { rate, _ in rate / 10 }
    self.example = example
  }

  /// 5QI 9, the usual default flow: it promises nothing, so it stands for no rules.
  static let bestEffortNumber: UInt64 = 9

  static let all: [FiveQI] = [
    FiveQI(3, .guaranteedBitRate, budget: 50, errors: 3, "real-time gaming, V2X, process automation monitoring"),
    FiveQI(9, .nonGuaranteedBitRate, budget: 300, errors: 6, "web, mail, file transfer: best effort"),
    FiveQI(79, .nonGuaranteedBitRate, budget: 50, errors: 2, "V2X messages"),
    FiveQI(80, .nonGuaranteedBitRate, budget: 10, errors: 6, "low-latency broadband, augmented reality"),
    FiveQI(82, .delayCriticalGuaranteedBitRate, budget: 10, errors: 4, "discrete automation, small packets"),
    FiveQI(83, .delayCriticalGuaranteedBitRate, budget: 10, errors: 4, "discrete automation; V2X lane change"),
    FiveQI(84, .delayCriticalGuaranteedBitRate, budget: 30, errors: 5, "intelligent transport systems"),
    FiveQI(85, .delayCriticalGuaranteedBitRate, budget: 5, errors: 5, "electricity, high voltage; remote driving"),
    FiveQI(86, .delayCriticalGuaranteedBitRate, budget: 5, errors: 4, "collision avoidance, platooning"),
    FiveQI(87, .delayCriticalGuaranteedBitRate, budget: 5, errors: 3, "interactive service, motion tracking"),
    FiveQI(88, .delayCriticalGuaranteedBitRate, budget: 10, errors: 3, "interactive service, motion tracking"),
    FiveQI(89, .delayCriticalGuaranteedBitRate, budget: 15, errors: 4, "visual content, split rendering"),
    FiveQI(90, .delayCriticalGuaranteedBitRate, budget: 20, errors: 4, "visual content, split rendering"),
  ]

  /// Delay and loss, in one direction or both.
  func rules(direction: Direction?, window: UInt64, penalty: Amount) -> [Topology.NamedRule] {
    guard number != Self.bestEffortNumber else { return [] }
    return Direction.allCases.filter { direction == nil || direction == $0 }.flatMap { direction in
      [
        rule(.oneWayDelay, .p99, UInt64(packetDelayBudget.nanoseconds), direction, window, penalty),
        rule(.lossRatio, .value, packetErrorRate, direction, window, penalty),
      ]
    }
  }

  private func rule(
    _ metric: Rule.Metric, _ statistic: Rule.Statistic, _ reference: UInt64, _ direction: Direction, _ window: UInt64,
    _ penalty: Amount
  ) -> Topology.NamedRule {
    let rule = Rule(
      metric: metric, statistic: statistic, direction: direction, comparison: .atMost, reference: reference,
      tolerance: 0, window: window,
      minimumSamples: Rule.samplesNeeded(metric: metric, statistic: statistic, reference: reference), penalty: penalty)
    return Topology.NamedRule(name: "\(name)-\(rule.defaultName)", rule: rule)
  }
}
