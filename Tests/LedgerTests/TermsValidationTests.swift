import Messages
import Signing
import Testing

/// A contract nobody could enforce is never deployed, and the error names the field.
@Suite struct TermsValidationTests {
  @Test func theSampleIsValid() throws { try World.terms().validate() }

  private static let defects: [(field: String, change: @Sendable (inout ContractTerms) -> Void)] = [
    ("service.profile", { $0.service.profile = "" }),
    ("service.guaranteedUp", { $0.service.guaranteedUp = $0.service.maximumUp + 1 }),
    ("service.guaranteedDown", { $0.service.guaranteedDown = $0.service.maximumDown + 1 }),
    ("service.maximumPacketBytes", { $0.service.maximumPacketBytes = 2_049 }),
    ("service.functionChain", { $0.service.functionChain = [""] }),
    ("rules[0].window", { $0.rules[0].window = 0 }),
    ("rules[0].window", { $0.rules[0].window = 101 }),
    ("rules[0].statistic", { $0.rules[0].statistic = .p99 }),
    ("rules[0].statistic", { $0.rules[0].metric = .oneWayDelay }),
    ("rules[0].tolerance", { $0.rules[0].tolerance = .max }),
    ("rules[0].reference", { $0.rules[0].reference = 1_000_000_001 }),
    ("rules", { $0.rules = Array(repeating: $0.rules[0], count: 33) }),
    ("context.minimumEpochs", { $0.context.minimumEpochs = 0 }),
    ("context.minimumEpochs", { $0.context.minimumEpochs = 101 }),
    ("context.maximumEpochs", { $0.context.maximumEpochs = .max }),
    ("context.maximumEpochs", { $0.context.maximumEpochs = 1 << 32 }),
    ("context.serviceTimes[0]", { $0.context.serviceTimes = [TimeWindow(from: World.start, to: World.start)] }),
    ("context.serviceArea", { $0.context.serviceArea = [] }),
    ("context.serviceArea", { $0.context.serviceArea = ["a", "a"] }),
    ("context.allowedPeers", { $0.context.allowedPeers = [] }),
    ("money.inconclusiveShare", { $0.money.inconclusiveShare = 1_000_001 }),
    ("money.contestedShare", { $0.money.contestedShare = 1_000_001 }),
    ("money", { $0.money.pricePerEpoch = .max / 50 }),
    ("money", { $0.rules[0].penalty = .max / 50 }),
    ("money", { ($0.money.pricePerEpoch, $0.money.terminationPenalty) = (.max / 100 - 1, .max / 2) }),
    // Epoch rule 2: twice 5 ms + 50 ms is not exceeded by 110 ms.
    ("metering.epoch", { $0.metering.epoch = .milliseconds(110) }),
    ("metering.epoch", { $0.metering.epoch = .zero }),
    ("metering.delaySpread", { $0.metering.delaySpread = .milliseconds(-1) }),
    ("metering.grace", { $0.metering.grace = .milliseconds(99) }),
    ("metering.histogram.unit", { $0.metering.histogram.unit = 0 }),
    ("metering.histogram.subBits", { $0.metering.histogram.subBits = 9 }),
    ("metering.histogram.highest", { $0.metering.histogram.highest = 1 }),
    ("metering.allowedMeasurements", { $0.metering.allowedMeasurements = [] }),
    ("metering.allowedMeasurements", { $0.metering.allowedMeasurements += $0.metering.allowedMeasurements }),
    ("deadlines.confirmWithin", { $0.deadlines.confirmWithin = .zero }),
    ("deadlines.startLead", { $0.deadlines.startLead = .seconds(-1) }),
    ("deadlines.settlementWindow", { $0.deadlines.settlementWindow = .zero }),
    // Epoch and grace are 1.2 s.
    ("deadlines.answerWithin", { $0.deadlines.answerWithin = .milliseconds(1_199) }),
    ("deadlines.settleWithin", { $0.deadlines.settleWithin = .seconds(367 * 86_400) }),
  ]

  @Test(arguments: defects.indices)
  func everyDefectIsNamed(index: Int) {
    let defect = Self.defects[index]
    var terms = World.terms()
    defect.change(&terms)
    do throws(TermsError) {
      try terms.validate()
      Issue.record("\(defect.field) was accepted")
    } catch {
      #expect(error.field == defect.field)
    }
  }

  @Test func anEpochJustLongEnoughIsValid() throws {
    var terms = World.terms()
    terms.metering.epoch = Span(nanoseconds: Span.milliseconds(110).nanoseconds + 1)
    try terms.validate()
  }
}
