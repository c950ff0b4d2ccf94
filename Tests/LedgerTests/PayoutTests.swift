import FixtureSupport
import Messages
import Signing
import Testing

/// sla.md: "Payout is one function".
@Suite struct PayoutTests {
  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func escrowAndBondAreDividedWithoutRest(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<500 {
      let segments = (0..<Int.random(in: 1...ActivationLimits.segments, using: &random)).map { _ in
        let booked = UInt64.random(in: 0...200, using: &random)
        return Self.segment(Self.terms(&random), booked, &random)
      }
      for cause in EndCause.allCases {
        let payout = try Payout(settling: segments, cause: cause)
        #expect(payout.paid + payout.refunded == payout.escrow, "seed \(seed)")
        #expect(payout.penalty + payout.bondReturned == payout.bond, "seed \(seed)")
        #expect(payout.operatorAmount + payout.customerAmount == payout.escrow + payout.bond, "seed \(seed)")
        let due = try segments.reduce(Amount(0)) { try $0 + $1.terms.amountDue($1.epochs) }
        let fees = segments.reduce(Amount(0)) { $0 + $1.terms.money.reservationFee }
        let fee = cause == .operatorFailed ? 0 : fees
        #expect(payout.paid == due + fee, "seed \(seed)")
      }
    }
  }

  @Test func sharesRoundDownOnceForTheCustomer() throws {
    var terms = World.terms()
    terms.money.pricePerEpoch = 3
    terms.money.inconclusiveShare = 500_000
    terms.money.contestedShare = 250_000
    var epochs = EpochCounters()
    epochs.met = 2
    epochs.inconclusive = 1
    epochs.contested = 1
    // 6 + ⌊1.5 + 0.75⌋
    #expect(try terms.amountDue(epochs) == 8)
  }

  @Test func nothingIsDueForWhatWasViolatedOrNotServed() throws {
    var epochs = EpochCounters()
    epochs.violated = 4
    epochs.notServed = 5
    #expect(try World.terms().amountDue(epochs) == 0)
  }

  @Test func penaltiesStopAtTheBond() throws {
    let capped = World.terms(cap: 20)
    #expect(try capped.bond(epochs: 10) == 20)
    var rule = RuleCounters()
    rule.violated = 10
    #expect(try capped.penaltiesDue([rule], bookedEpochs: 10) == 20)
    let segment = PayoutSegment(terms: capped, bookedEpochs: 10, epochs: EpochCounters(), rules: [rule])
    #expect(try Payout(settling: [segment], cause: .operatorFailed).penalty == 20)
  }

  @Test func aWindowedRuleCanBeViolatedOncePerWindow() throws {
    var rule = World.lossRule
    rule.window = 4
    let terms = World.terms(rules: [rule])
    #expect(try terms.bond(epochs: 10) == 40 + 2 * 3)
    var counters = RuleCounters()
    counters.violated = 3
    #expect(throws: PayoutError.countersExceedBooking) {
      try terms.penaltiesDue([counters], bookedEpochs: 10)
    }
  }

  @Test func impossibleCountersAreRefused() {
    let terms = World.terms()
    var epochs = EpochCounters()
    epochs.met = .max
    #expect(throws: PayoutError.overflow) { try terms.amountDue(epochs) }
    epochs.violated = 1
    #expect(epochs.checkedTotal == nil)
    let segment = PayoutSegment(terms: terms, bookedEpochs: 10, epochs: epochs, rules: [RuleCounters()])
    #expect(throws: PayoutError.countersExceedBooking) { try Payout(settling: [segment], cause: .completed) }
    #expect(throws: PayoutError.wrongRuleCount) { try terms.penaltiesDue([], bookedEpochs: 10) }
  }

  private static func terms(_ random: inout SeededGenerator) -> ContractTerms {
    let rules = (0..<Int.random(in: 0...4, using: &random)).map { _ in
      var rule = World.lossRule
      rule.window = .random(in: 1...5, using: &random)
      rule.penalty = .random(in: 0...1_000, using: &random)
      return rule
    }
    var terms = World.terms(rules: rules)
    terms.money.pricePerEpoch = .random(in: 0...1_000_000_007, using: &random)
    terms.money.reservationFee = .random(in: 0...1_000, using: &random)
    terms.money.terminationPenalty = .random(in: 0...10_000, using: &random)
    terms.money.inconclusiveShare = .random(in: 0...MoneyTerms.shareUnit, using: &random)
    terms.money.contestedShare = .random(in: 0...MoneyTerms.shareUnit, using: &random)
    terms.money.penaltyCap = Bool.random(using: &random) ? .random(in: 0...20_000, using: &random) : nil
    return terms
  }

  private static func segment(
    _ terms: ContractTerms, _ booked: UInt64, _ random: inout SeededGenerator
  ) -> PayoutSegment {
    var left = booked
    func some(_ random: inout SeededGenerator) -> UInt64 {
      let count = UInt64.random(in: 0...left, using: &random)
      left -= count
      return count
    }
    var epochs = EpochCounters()
    epochs.met = some(&random)
    epochs.violated = some(&random)
    epochs.inconclusive = some(&random)
    epochs.contested = some(&random)
    epochs.notServed = some(&random)
    let rules = terms.rules.map { rule in
      var counters = RuleCounters()
      counters.violated = .random(in: 0...rule.verdicts(in: booked), using: &random)
      return counters
    }
    return PayoutSegment(terms: terms, bookedEpochs: booked, epochs: epochs, rules: rules)
  }
}
