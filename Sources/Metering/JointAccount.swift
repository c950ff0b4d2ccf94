import Messages
import Signing
import Wire

/// Why a record does not follow from what was opened. The records of this activation end before it.
public enum AccountError: Error, Equatable, Sendable {
  case customerReceipts(ReceiptRefusal)
  case operatorReceipts(ReceiptRefusal)
  /// The next epoch to be recorded is another one.
  case wrongEpoch(expected: EpochNumber)
  /// A record and a state to go on from that do not belong together, or not to this activation.
  case wrongBase
  /// Amounts or counters beyond the booking.
  case payout(PayoutError)
}

/// The joint account of one activation: the fold of opened receipts into records. Both sides keep one and come to the
/// same bytes; a third party that is given a signed record, the state after it and the receipts of the next epoch does
/// too (``init(resuming:state:parties:)``), and the ledger is such a party.
public struct JointAccount: Sendable {
  public private(set) var parties: AccountParties
  public private(set) var last: JointRecord?
  public private(set) var state: AccountState

  public init(parties: AccountParties) {
    self.parties = parties
    state = AccountState(windows: RuleWindows(terms: parties.booking.terms))
  }

  /// The account as it stood after `record`.
  /// - Parameter state: the encoded ``AccountState`` whose digest stands in the record. Whether the record is one both
  ///   sides signed, or follows from receipts, is the caller's to know.
  public init(resuming record: JointRecord, state: [UInt8], parties: AccountParties) throws(AccountError) {
    guard record.activation == parties.activation, Digest(hashing: state) == record.account,
      let state = try? AccountState(decoding: state),
      record.segments.count == parties.segmentIndex(of: record.epoch) + 1,
      state.windows.evidence.count == parties.terms(of: record.epoch).rules.count,
      state.windows.keeps(to: parties.metering.histogram)
    else { throw .wrongBase }
    for (segment, account) in zip(parties.segments, record.segments)
    where account.ruleCounters.count != segment.terms.rules.count { throw .wrongBase }
    self.parties = parties
    self.last = record
    self.state = state
  }

  /// The epoch whose record comes next.
  public var nextEpoch: EpochNumber { last.map { $0.epoch.addingSaturating(1) } ?? 0 }
  public var lastDigest: Digest { last?.digest ?? .zero }

  /// An amendment or a handover that is FINAL on the ledger.
  /// - Returns: false for one that does not fit, or would change what is recorded.
  /// - Parameter committed: epochs below: who signs their receipts cannot change any more.
  mutating func apply(_ update: BookingUpdate, committed: EpochNumber) -> Bool {
    parties.apply(update, recorded: nextEpoch, committed: committed)
  }

  /// Takes over what somebody else who follows the ledger knows of the booking.
  mutating func follow(_ parties: AccountParties) { self.parties = parties }

  /// The account after the next epoch, with the record that follows from both sides' receipts as its last.
  ///
  /// The signatures on the receipts are checked by whoever took them off the wire; who may have made them is checked
  /// here.
  public func appending(
    epoch: EpochNumber, customer: ReceiptSet, networkOperator: ReceiptSet
  ) throws(AccountError) -> JointAccount {
    guard epoch == nextEpoch else { throw .wrongEpoch(expected: nextEpoch) }
    let (customers, operators) = (
      try open(customer, .customer, epoch), try open(networkOperator, .networkOperator, epoch)
    )
    let receipts = EpochReceipts(
      epoch: epoch, ends: parties.ends, entryChecksTags: parties.entryChecksTags(in: epoch),
      anchorHadRecord: parties.anchorHadRecord(operators), customer: customers, networkOperator: operators)
    let segment = parties.segment(of: epoch)
    var next = begun(epoch)
    let assessment = assess(
      receipts, terms: segment.terms, segmentStart: segment.from, isMaintenance: parties.isMaintenance(epoch),
      windows: &next.state.windows)
    try next.record(
      receipts, assessment, customer: customer.digest, networkOperator: networkOperator.digest,
      missing: parties.missing(from: receipts))
    return next
  }

  /// The account after an epoch about which a demand on the ledger was lost: all of it counts against who lost, and
  /// nothing is judged when neither side opened its receipts.
  /// - Parameters:
  ///   - loser: nil for both.
  ///   - customer: what the customer opened or committed to; of no receipts otherwise.
  public func conceding(
    epoch: EpochNumber, by loser: AccountingSide?, customer: Digest, networkOperator: Digest
  ) throws(AccountError) -> JointAccount {
    guard epoch == nextEpoch else { throw .wrongEpoch(expected: nextEpoch) }
    let segment = parties.segment(of: epoch)
    var next = begun(epoch)
    let assessment = assess(
      lost: epoch, by: loser, terms: segment.terms, segmentStart: segment.from,
      isMaintenance: parties.isMaintenance(epoch), windows: &next.state.windows)
    let silent = loser.map { [$0] } ?? AccountingSide.allCases
    try next.record(
      EpochReceipts(epoch: epoch, ends: parties.ends, customer: [], networkOperator: []), assessment,
      customer: customer, networkOperator: networkOperator,
      missing: silent.flatMap { parties.signers(of: $0, in: epoch) })
    return next
  }

  /// Whether a side's set may stand in the record of the next epoch.
  public func admits(_ set: ReceiptSet, of side: AccountingSide) -> Bool {
    (try? open(set, side, nextEpoch)) != nil
  }

  /// Windows begin anew with the first epoch of a segment.
  private func begun(_ epoch: EpochNumber) -> JointAccount {
    var next = self
    if let last, parties.segmentIndex(of: last.epoch) != parties.segmentIndex(of: epoch) {
      next.state.windows = RuleWindows(terms: parties.terms(of: epoch))
    }
    return next
  }

  /// Writes the record of an epoch that is assessed; ``state`` has its windows already.
  private mutating func record(
    _ receipts: EpochReceipts, _ assessment: EpochAssessment, customer: Digest, networkOperator: Digest,
    missing: [PublicKey]
  ) throws(AccountError) {
    for side in AccountingSide.allCases {
      state.chain.advance(side.points(parties.ends), receipts.receipts(of: side))
    }
    last = JointRecord(
      activation: parties.activation, epoch: receipts.epoch, customerReceipts: customer,
      operatorReceipts: networkOperator, verdicts: assessment.verdicts,
      segments: try segments(after: assessment, of: receipts.epoch), missing: missing, account: state.digest,
      previous: lastDigest)
  }

  private func open(
    _ set: ReceiptSet, _ side: AccountingSide, _ epoch: EpochNumber
  ) throws(AccountError) -> [SLAReceipt] {
    do throws(ReceiptRefusal) {
      return try set.open(side, epoch: epoch, parties: parties, after: state.chain)
    } catch {
      throw side == .customer ? .customerReceipts(error) : .operatorReceipts(error)
    }
  }

  /// One account per segment that has begun, the epoch's own last.
  private func segments(
    after assessment: EpochAssessment, of epoch: EpochNumber
  ) throws(AccountError) -> [SegmentAccount] {
    var accounts = last?.segments ?? []
    for segment in parties.segments.prefix(parties.segmentIndex(of: epoch) + 1).dropFirst(accounts.count) {
      accounts.append(SegmentAccount(terms: segment.terms))
    }
    let current = accounts.count - 1
    for (index, verdict) in assessment.verdicts.enumerated() {
      if let verdict { accounts[current].ruleCounters[index].count(verdict) }
    }
    accounts[current].epochCounters.count(assessment.outcome)
    let segment = parties.segment(of: epoch)
    do throws(PayoutError) {
      accounts[current].amountDue = try segment.terms.amountDue(accounts[current].epochCounters)
      accounts[current].penaltiesDue = try segment.terms.penaltiesDue(
        accounts[current].ruleCounters, bookedEpochs: segment.bookedEpochs)
    } catch {
      throw .payout(error)
    }
    return accounts
  }
}

extension SegmentAccount {
  /// Of a segment that has just begun.
  public init(terms: ContractTerms) {
    self.init(
      ruleCounters: terms.rules.map { _ in RuleCounters() }, epochCounters: EpochCounters(), amountDue: 0,
      penaltiesDue: 0)
  }
}

// Counters of an account that is gone on from are whatever its signers wrote: nothing here may overflow.

extension RuleCounters {
  mutating func count(_ verdict: Verdict) {
    switch verdict {
    case .met: met = met.addingSaturating(1)
    case .violated: violated = violated.addingSaturating(1)
    case .inconclusive: inconclusive = inconclusive.addingSaturating(1)
    case .contested: contested = contested.addingSaturating(1)
    }
    currentBadRun = verdict == .met ? 0 : currentBadRun.addingSaturating(1)
    longestBadRun = max(longestBadRun, currentBadRun)
  }
}

extension EpochCounters {
  mutating func count(_ outcome: Verdict?) {
    switch outcome {
    case .met?: met = met.addingSaturating(1)
    case .violated?: violated = violated.addingSaturating(1)
    case .inconclusive?: inconclusive = inconclusive.addingSaturating(1)
    case .contested?: contested = contested.addingSaturating(1)
    case nil: notServed = notServed.addingSaturating(1)
    }
  }
}
