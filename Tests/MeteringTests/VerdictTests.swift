import Messages
import Metering
import Signing
import Testing

/// Verdicts are one pure function of both sides' receipts: worst case, best case, and who is to blame.
struct VerdictTests {
  let loss = Samples.rule(.lossRatio, reference: 10_000_000)  // 1 %
  let delay = Samples.rule(.oneWayDelay, .p99, reference: 10_000_000)

  private func verdicts(_ rules: [Rule], _ change: (inout EpochStory) -> Void) throws -> [Verdict?] {
    var story = EpochStory()
    change(&story)
    return try story.assess(Samples.terms(rules)).verdicts
  }

  @Test func aCleanEpochMeetsEveryKindOfRule() throws {
    let rules = [
      loss, delay, Samples.rule(.oneWayDelay, .maximum, .down, reference: 6_000_000),
      Samples.rule(.roundTrip, .p50, .down, reference: 11_000_000),
      Samples.rule(.delayVariation, .p95, reference: 1000),
      Samples.rule(.throughput, .value, .up, .atLeast, reference: 1_000_000_000),
      Samples.rule(.availability, .value, .down, .atLeast, reference: 1_000_000_000),
      Samples.rule(.survivalTime, reference: 0),
    ]
    let assessment = try EpochStory().assess(Samples.terms(rules))
    #expect(assessment.verdicts == rules.map { _ in .met })
    #expect(assessment.outcome == .met)
  }

  @Test func coreLossIsTheOperatorsOwnStatement() throws {
    #expect(try verdicts([loss]) { $0.lostInCore = 2 } == [.met])
    #expect(try verdicts([loss]) { $0.lostInCore = 3 } == [.violated])
  }

  @Test func accessLossIsContestedNeverBlamedByGuess() throws {
    #expect(try verdicts([loss]) { $0.lostOnAccess = 3 } == [.contested])
    #expect(try verdicts([loss]) { $0.lostOnAccess = 1 } == [.met])
    // Enough core loss convicts whatever was lost on access.
    #expect(
      try verdicts([loss]) {
        $0.lostOnAccess = 50
        $0.lostInCore = 10
      } == [.violated])
  }

  @Test func lostPacketsAreInfinitelyLate() throws {
    let tail = Samples.rule(.oneWayDelay, .p99, reference: 50_000_000)
    #expect(try verdicts([tail]) { $0.lostInCore = 2 } == [.met])
    #expect(try verdicts([tail]) { $0.lostInCore = 3 } == [.violated])
    #expect(try verdicts([tail]) { $0.lostOnAccess = 3 } == [.contested])
    let greatest = Samples.rule(.oneWayDelay, .maximum, reference: 50_000_000)
    #expect(try verdicts([greatest]) { $0.lostInCore = 1 } == [.violated])
  }

  @Test(
    arguments: [(5_000, .violated), (9_950, .inconclusive), (10_000, .inconclusive), (10_200, .met)]
      as [(UInt64, Verdict)])
  func theErrorBoundDecidesNothing(referenceMicroseconds: UInt64, expected: Verdict) throws {
    let rule = Samples.rule(.oneWayDelay, .maximum, reference: referenceMicroseconds * 1000)
    #expect(try verdicts([rule]) { $0.delay = .milliseconds(10) } == [expected])
  }

  @Test func rule5TooFewSamplesAreInconclusiveAndEmptyEpochsToo() throws {
    var strict = loss
    strict.minimumSamples = 300_000
    #expect(try verdicts([strict]) { $0.lostInCore = 100 } == [.inconclusive])
    #expect(try verdicts([loss, delay]) { $0.sent = 0 } == [.inconclusive, .inconclusive])
    // Probes alone judge the round trip.
    let roundTrip = Samples.rule(.roundTrip, .maximum, .down, reference: 20_000_000, minimumSamples: 4)
    #expect(try verdicts([roundTrip]) { $0.sent = 0 } == [.met])
  }

  @Test func aWindowedRuleAddsUpAndGivesOneVerdictAtItsEnd() throws {
    let rule = Samples.rule(.lossRatio, reference: 10_000_000, window: 3, minimumSamples: 600)
    let terms = try Samples.terms([rule])
    var windows = RuleWindows(terms: terms)
    var seen: [Verdict?] = []
    for epoch in 0..<6 {
      var story = EpochStory(epoch: EpochNumber(epoch))
      // 5 of 600 in the first window, 7 of 600 in the second: averages of single epochs would not tell.
      story.lostInCore = [5, 0, 0, 7, 0, 0][epoch]
      let assessment = try story.assess(terms, &windows)
      seen += assessment.verdicts
      #expect(assessment.outcome == .met, "a windowed rule never prices an epoch")
    }
    #expect(seen == [nil, nil, .met, nil, nil, .violated])
  }

  @Test func whatOneSideAloneCausesCountsAgainstIt() throws {
    let bad = ClockQuality(source: .freeRunning, synchronised: false, errorBound: .seconds(1))
    #expect(try verdicts([delay, loss]) { $0.customerClock = bad } == [.met, .met])
    #expect(try verdicts([delay, loss]) { $0.operatorClock = bad } == [.violated, .met])
    #expect(
      try verdicts([delay, loss]) {
        $0.operatorClock = bad
        $0.customerClock = bad
      } == [.inconclusive, .met])
    #expect(try verdicts([delay, loss]) { $0.customerCondition = .interrupted } == [.met, .met])
    #expect(try verdicts([delay, loss]) { $0.operatorCondition = .interrupted } == [.violated, .violated])
    #expect(
      try verdicts([delay, loss]) {
        $0.customerCondition = .interrupted
        $0.operatorCondition = .interrupted
      } == [.inconclusive, .inconclusive])
  }

  @Test func rule6AClockStepLeavesLossAndRoundTripStanding() throws {
    let roundTrip = Samples.rule(.roundTrip, .maximum, .down, reference: 20_000_000)
    let stepped = ClockQuality(source: .ntp, synchronised: true, errorBound: .microseconds(100), steps: 1)
    #expect(
      try verdicts([delay, loss, roundTrip]) {
        $0.customerClock = stepped
        $0.operatorClock = stepped
      } == [.inconclusive, .met, .met])
  }

  @Test func oneWayDelaysThatDoNotAddUpToTheRoundTripAreNotBelieved() throws {
    let terms = try Samples.terms([delay, loss])
    let story = EpochStory()
    var customer = try story.receipts(.customer, terms)
    let index = try #require(customer.firstIndex { $0.point == .enclaveReceive })
    // The clock moved by 30 ms between the packets down and the probes.
    customer[index].roundTrips?.summary?.minimum += 30_000_000
    customer[index].roundTrips?.summary?.maximum += 30_000_000
    let receipts = EpochReceipts(
      epoch: 0, customer: customer, networkOperator: try story.receipts(.networkOperator, terms))
    var windows = RuleWindows(terms: terms)
    #expect(Metering.assess(receipts, terms: terms, windows: &windows).verdicts == [.inconclusive, .met])
  }

  @Test func aMissingReceiptCountsAgainstItsOwner() throws {
    let terms = try Samples.terms([loss])
    let story = EpochStory()
    let customer = try story.receipts(.customer, terms)
    let networkOperator = try story.receipts(.networkOperator, terms)
    for (left, right, expected) in [
      (Array(customer.dropLast()), networkOperator, Verdict.met),
      (customer, Array(networkOperator.dropFirst()), .violated),
    ] {
      var windows = RuleWindows(terms: terms)
      let receipts = EpochReceipts(epoch: 0, customer: left, networkOperator: right)
      #expect(Metering.assess(receipts, terms: terms, windows: &windows).outcome == expected)
    }
  }

  /// How many samples there would have been is what a missing receipt hides: not counting must never buy INCONCLUSIVE.
  @Test func whoKeptARuleFromBeingJudgedBearsItHoweverFewSamplesThereWere() throws {
    var fiveNines = loss
    fiveNines.minimumSamples = 300_000
    #expect(try verdicts([fiveNines]) { $0.customerCondition = .interrupted } == [.met])
    #expect(try verdicts([fiveNines]) { $0.operatorCondition = .interrupted } == [.violated])
    #expect(try verdicts([fiveNines]) { _ in } == [.inconclusive])
  }

  /// Packets for others than the flow's peer get numbers and are dropped at the edge: by the sender's own word no loss.
  @Test(arguments: [(UInt64(20), Verdict.met), (10, .violated), (0, .violated)])
  func whatTheSenderAddressedElsewhereIsNoLoss(elsewhere: UInt64, expected: Verdict) throws {
    let terms = try Samples.terms([loss])
    let story = EpochStory()
    var customer = try story.receipts(.customer, terms)
    var networkOperator = try story.receipts(.networkOperator, terms)
    customer[0].counts.packetsSent -= elsewhere
    networkOperator[0].counts.packetsSent -= 20
    networkOperator[0].counts.droppedByPolicy = 20
    networkOperator[1].counts.uniqueReceived -= 20
    var windows = RuleWindows(terms: terms)
    let receipts = EpochReceipts(epoch: 0, customer: customer, networkOperator: networkOperator)
    #expect(Metering.assess(receipts, terms: terms, windows: &windows).outcome == expected)
  }

  @Test func rule8AGatedEpochIsJudgedByNoRule() throws {
    let terms = try Samples.terms([loss, delay])
    var story = EpochStory(epoch: 4, sent: 0)
    story.customerCondition = .gated
    story.operatorCondition = .gated
    let assessment = try story.assess(terms)
    #expect(assessment.verdicts == [nil, nil])
    #expect(assessment.outcome == nil)
  }

  @Test func anOperatorThatShutsTheGateAgainstAnAcknowledgedRecordIsContested() throws {
    let terms = try Samples.terms([loss])
    var story = EpochStory(epoch: 4)
    story.operatorCondition = .gated
    story.lostOnAccess = 200
    #expect(try story.assess(terms).outcome == .contested)
  }

  @Test func policyDropsCountUnlessTheSenderItselfAdmitsTooMuch() throws {
    let terms = try Samples.terms([loss])
    for (bytes, expected) in [(UInt64(100_000), Verdict.violated), (10_000_000, .met)] {
      let story = EpochStory()
      var customer = try story.receipts(.customer, terms)
      var networkOperator = try story.receipts(.networkOperator, terms)
      customer[0].counts.bytesSent = bytes
      networkOperator[0].counts.packetsSent -= 20
      networkOperator[0].counts.droppedByPolicy = 20
      networkOperator[1].counts.uniqueReceived -= 20
      var windows = RuleWindows(terms: terms)
      let receipts = EpochReceipts(epoch: 0, customer: customer, networkOperator: networkOperator)
      #expect(Metering.assess(receipts, terms: terms, windows: &windows).outcome == expected)
    }
  }
}
