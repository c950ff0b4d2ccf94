import Messages
import Testing
import Topology

/// What was expected and what came of it.
@Suite struct ExpectationTests {
  let topology: Topology
  let fulfilled: ActivationResult

  init() throws {
    topology = try TopologyParser.parse(Array(try Files.minimal().utf8), file: "f").topology
    let video = Topology.ContractReference(operatorName: "alpha", contractName: "video")
    var first = ActivationResult.Segment(
      contract: video, epochs: EpochCounters(), rules: [RuleCounters(), RuleCounters()])
    first.epochs.met = 2
    first.rules[1].met = 2
    var second = first
    second.rules[1].longestBadRun = 1
    fulfilled = ActivationResult(
      state: .settled, statusInfo: .durationExpired, settlement: .agreed, segments: [first, second], handovers: 1,
      droppedByPolicy: 7, money: ActivationMoney(escrow: 450, bond: 80, paid: 450, refunded: 0, penalty: 0))
  }

  private func range(_ least: UInt64, _ most: UInt64) -> Topology.CountRange {
    Topology.CountRange(least: least, most: most)
  }

  private var expectation: Topology.Expectation {
    Topology.Expectation(
      state: .settled, statusInfo: .durationExpired, settlement: .agreed,
      contract: Topology.ContractReference(operatorName: "alpha", contractName: "video"),
      epochs: [Topology.EpochExpectation(outcome: .met, count: range(3, 4))],
      rules: [
        Topology.RuleExpectation(rule: "loss-up", verdict: .met, count: range(4, 4)),
        Topology.RuleExpectation(rule: "loss-up", verdict: .violated, count: range(0, 0)),
      ],
      segments: range(2, 2), handovers: range(1, 1), droppedByPolicy: range(5, 9), paid: range(400, 450))
  }

  @Test func nothingToSayWhenItFits() { #expect(expectation.differences(from: fulfilled, in: topology).isEmpty) }

  @Test func everyDifferenceIsSaid() {
    var result = fulfilled
    result.state = .nullified
    result.statusInfo = nil
    result.settlement = .expired
    result.segments[0].contract.operatorName = "bravo"
    result.segments[1].epochs.met = 0
    result.segments[1].rules[1].violated = 1
    result.handovers = 0
    result.droppedByPolicy = 4
    result.money.paid = 300
    #expect(
      expectation.differences(from: result, in: topology) == [
        "state: expected SETTLED, found NULLIFIED", "statusInfo: expected DURATION_EXPIRED, found none",
        "settlement: expected AGREED, found EXPIRED", "contract: expected alpha/video, found bravo/video",
        "epochs met: expected 3..4, found 2", "rule loss-up met: expected 4, found 2",
        "rule loss-up violated: expected 0, found 1", "handovers: expected 1, found 0",
        "droppedByPolicy: expected 5..9, found 4", "paid: expected 400..450, found 300",
      ])
  }

  /// Only edges know what they dropped; a node that watches none cannot compare.
  @Test func whatNobodyWatchedIsNotCompared() {
    var result = fulfilled
    result.droppedByPolicy = nil
    #expect(expectation.differences(from: result, in: topology).isEmpty)
  }

  @Test func countersOfAHostileRecordDoNotOverflow() {
    var result = fulfilled
    result.segments[0].epochs.met = .max
    result.segments[0].rules[1].met = .max
    #expect(result.epochs.met == .max)
    #expect(result.counters(ofRule: "loss-up", in: topology).met == .max)
  }
}
