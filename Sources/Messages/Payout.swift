import Signing
import Wire

/// Why an activation ended, as far as the money is concerned.
public enum EndCause: Sendable, CaseIterable {
  /// Its booked epochs ran out, or both sides agreed to stop.
  case completed
  /// The customer terminated it.
  case customerTerminated
  /// The operator terminated it, or lost the demand that ended it: F goes back and the termination penalty is due.
  case operatorFailed
}

/// Why an amount cannot be computed. Terms that passed ``ContractTerms/validate()`` with counters inside the booking
/// never get here; a record that does is refused.
public enum PayoutError: Error, Equatable, Sendable {
  /// More epochs counted than were booked, or more verdicts of a rule than it can have had.
  case countersExceedBooking
  /// As many counters as rules.
  case wrongRuleCount
  /// An amount beyond 64 bits.
  case overflow
}

/// One stretch of an activation under one contract. An activation has one; each Extend or Renegotiate adds another,
/// and the payout sums them.
public struct PayoutSegment: Hashable, Sendable {
  public var terms: ContractTerms
  /// As booked, whatever ended it: what E and B were computed from.
  public var bookedEpochs: UInt64
  /// Of the last joint record. Epochs beyond it count as not delivered.
  public var epochs: EpochCounters
  /// Per rule, in contract order.
  public var rules: [RuleCounters]

  public init(terms: ContractTerms, bookedEpochs: UInt64, epochs: EpochCounters, rules: [RuleCounters]) {
    self.terms = terms
    self.bookedEpochs = bookedEpochs
    self.epochs = epochs
    self.rules = rules
  }

  /// The segment as the last record leaves it; nothing was delivered when there is none.
  public init(terms: ContractTerms, bookedEpochs: UInt64, account: SegmentAccount?) {
    self.init(
      terms: terms, bookedEpochs: bookedEpochs, epochs: account?.epochCounters ?? EpochCounters(),
      rules: account?.ruleCounters ?? terms.rules.map { _ in RuleCounters() })
  }
}

/// Who gets what when an activation ends: the one function of sla.md. Escrow and bond are divided without rest:
/// `paid + refunded = E`, `penalty + bondReturned = B`.
public struct Payout: Hashable, Sendable {
  /// E
  public let escrow: Amount
  /// B
  public let bond: Amount
  /// From the escrow to the operator.
  public let paid: Amount
  /// From the escrow back to the customer.
  public let refunded: Amount
  /// From the bond to the customer.
  public let penalty: Amount
  /// From the bond back to the operator.
  public let bondReturned: Amount

  public var operatorAmount: Amount { paid + bondReturned }
  public var customerAmount: Amount { refunded + penalty }

  /// The price uses the epochs' outcomes, penalties use the rules' counters. The reservation fee is the operator's
  /// unless it failed; the termination penalty is due once, from the last segment's bond.
  public init(settling segments: [PayoutSegment], cause: EndCause) throws(PayoutError) {
    var escrow: Amount = 0
    var bond: Amount = 0
    var paid: Amount = 0
    var penalty: Amount = 0
    for (index, segment) in segments.enumerated() {
      let terms = segment.terms
      guard segment.epochs.isWithin(segment.bookedEpochs) else { throw .countersExceedBooking }
      let segmentBond = try terms.bond(epochs: segment.bookedEpochs)
      var due = try terms.uncappedPenalties(segment.rules, epochs: segment.bookedEpochs)
      if cause == .operatorFailed, index == segments.count - 1 { due = try due.adding(terms.money.terminationPenalty) }
      escrow = try escrow.adding(terms.escrow(epochs: segment.bookedEpochs))
      bond = try bond.adding(segmentBond)
      penalty = try penalty.adding(min(due, segmentBond))
      paid = try paid.adding(terms.amountDue(segment.epochs))
      if cause != .operatorFailed { paid = try paid.adding(terms.money.reservationFee) }
    }
    // Follows from the terms' own bounds; said here because nothing may depend on it holding elsewhere.
    guard paid <= escrow, penalty <= bond, !escrow.addingReportingOverflow(bond).overflow else { throw .overflow }
    self.escrow = escrow
    self.bond = bond
    self.paid = paid
    self.penalty = penalty
    refunded = escrow - paid
    bondReturned = bond - penalty
  }
}

extension ContractTerms {
  /// E: the reservation fee and the price of every booked epoch.
  public func escrow(epochs: UInt64) throws(PayoutError) -> Amount {
    try money.pricePerEpoch.multiplied(by: epochs).adding(money.reservationFee)
  }

  /// B: every rule VIOLATED as often as it can be in the booked epochs, plus the termination penalty, or the
  /// contract's cap if that is less. All penalties together are at most this.
  public func bond(epochs: UInt64) throws(PayoutError) -> Amount {
    var bond = money.terminationPenalty
    for rule in rules { bond = try bond.adding(rule.penalty.multiplied(by: rule.verdicts(in: epochs))) }
    return min(bond, money.penaltyCap ?? bond)
  }

  /// Due to the operator for these epochs, the reservation fee not included: the price of each MET one, the contract's
  /// shares of INCONCLUSIVE and CONTESTED ones together rounded down once, nothing for the others.
  public func amountDue(_ epochs: EpochCounters) throws(PayoutError) -> Amount {
    let price = UInt128(money.pricePerEpoch)
    // Products of two 64-bit numbers fit; everything beyond is checked, because a record's counters are whatever its
    // signers wrote.
    let (shares, sharesOverflow) = (UInt128(epochs.inconclusive) * UInt128(money.inconclusiveShare))
      .addingReportingOverflow(UInt128(epochs.contested) * UInt128(money.contestedShare))
    let (product, productOverflow) = price.multipliedReportingOverflow(by: shares)
    let (sum, sumOverflow) = (price * UInt128(epochs.met)).addingReportingOverflow(
      product / UInt128(MoneyTerms.shareUnit))
    guard !sharesOverflow, !productOverflow, !sumOverflow, let due = Amount(exactly: sum) else { throw .overflow }
    return due
  }

  /// Due to the customer for these verdicts, never more than B of the booked epochs.
  public func penaltiesDue(_ counters: [RuleCounters], bookedEpochs: UInt64) throws(PayoutError) -> Amount {
    min(try uncappedPenalties(counters, epochs: bookedEpochs), try bond(epochs: bookedEpochs))
  }

  func uncappedPenalties(_ counters: [RuleCounters], epochs: UInt64) throws(PayoutError) -> Amount {
    guard counters.count == rules.count else { throw .wrongRuleCount }
    var due: Amount = 0
    for (rule, counter) in zip(rules, counters) {
      guard counter.violated <= rule.verdicts(in: epochs) else { throw .countersExceedBooking }
      due = try due.adding(rule.penalty.multiplied(by: counter.violated))
    }
    return due
  }
}

extension Rule {
  /// How many verdicts this rule gives in so many epochs: one at the end of each whole window.
  public func verdicts(in epochs: UInt64) -> UInt64 { window == 0 ? 0 : epochs / window }
}

extension EpochCounters {
  /// The sum of all counters, or nil when it has no 64 bits.
  public var checkedTotal: UInt64? {
    var total: UInt64 = 0
    for count in [met, violated, inconclusive, contested, notServed] {
      let (sum, overflow) = total.addingReportingOverflow(count)
      if overflow { return nil }
      total = sum
    }
    return total
  }

  func isWithin(_ epochs: UInt64) -> Bool {
    guard let checkedTotal else { return false }
    return checkedTotal <= epochs
  }
}

extension RuleCounters {
  /// The number of verdicts given, or nil when it has no 64 bits.
  public var checkedTotal: UInt64? {
    var total: UInt64 = 0
    for count in [met, violated, inconclusive, contested] {
      let (sum, overflow) = total.addingReportingOverflow(count)
      if overflow { return nil }
      total = sum
    }
    return total
  }
}

extension Amount {
  func adding(_ other: Amount) throws(PayoutError) -> Amount {
    let (sum, overflow) = addingReportingOverflow(other)
    guard !overflow else { throw .overflow }
    return sum
  }

  func multiplied(by count: UInt64) throws(PayoutError) -> Amount {
    let (product, overflow) = multipliedReportingOverflow(by: count)
    guard !overflow else { throw .overflow }
    return product
  }
}
