import Messages
import Metering
import Signing

/// Dispute (sla.md, "The activation"): inside CLOSING, once per epoch and side, against the record it would pay by.
/// Epochs beyond that record are demanded, not disputed.
extension BlockExecution {
  mutating func dispute(_ dispute: Dispute, by signer: Signer) throws(Refusal) {
    var activation = try activation(dispute.activation)
    guard let side = activation.side(of: signer) else { throw .code(.permissionDenied) }
    guard case .closing(var reservation, var closing) = activation.phase, let record = closing.record else {
      throw .code(.failedPrecondition)
    }
    try require(closing.closesAt > passedBefore, orElse: .deadlinePassed)
    let entry: DisputedEpoch
    let corrected: JointRecord
    switch dispute.grounds {
    case .recompute(let base, let customer, let networkOperator):
      let earlier = reservation.proceedings.disputes
      // What the ledger computed itself, or made of a lost demand, is not computed again.
      if let posted = reservation.proceedings.posted?.record {
        try require(try convicting(earlier, in: posted, of: activation) != record, orElse: .failedPrecondition)
      }
      entry = DisputedEpoch(by: side, epoch: record.epoch, against: nil)
      let computed = try recompute(record, from: base, customer, networkOperator, of: activation)
      corrected = try convicting(earlier, in: computed, of: activation)
    case .contradiction(let first, let second):
      guard let contradiction = Contradiction(first, second, parties: try parties(of: activation)) else {
        throw .code(.receiptMismatch)
      }
      try require(contradiction.epoch <= record.epoch, orElse: .outOfRange)
      entry = DisputedEpoch(by: side, epoch: contradiction.epoch, against: contradiction.side)
      corrected = try convicting([entry], in: record, of: activation)
    }
    let isFirst = !reservation.proceedings.disputes.contains { $0.by == side && $0.epoch == entry.epoch }
    try require(isFirst, orElse: .failedPrecondition)
    try require(reservation.proceedings.disputes.count < Proceedings.maximumDisputes, orElse: .outOfRange)
    // A dispute that changes nothing is none.
    try require(corrected != record, orElse: .failedPrecondition)
    reservation.proceedings.disputes.append(entry)
    closing.record = corrected
    closing.kind = .disputed
    activation.phase = .closing(reservation, closing)
    try store(activation)
  }

  /// The record once more, from what both sides opened for it: the same receipts after the same record, so that only
  /// the verdicts can differ.
  private func recompute(
    _ record: JointRecord, from given: AccountBase?, _ customer: ReceiptSet, _ networkOperator: ReceiptSet,
    of activation: ActivationRecord
  ) throws(Refusal) -> JointRecord {
    try require(
      record.customerReceipts == customer.digest && record.operatorReceipts == networkOperator.digest,
      orElse: .receiptMismatch)
    let account = try account(
      after: try base(given, before: record.epoch, of: activation), of: activation)
    try require(account.lastDigest == record.previous, orElse: .receiptMismatch)
    do throws(AccountError) {
      let next = try account.appending(epoch: record.epoch, customer: customer, networkOperator: networkOperator)
      guard let computed = next.last else { throw .wrongEpoch(expected: record.epoch) }
      return computed
    } catch {
      throw .code(.receiptMismatch)
    }
  }

  /// The record in which every epoch about which a side said two things counts against it. A record that replaces
  /// another is corrected anew: otherwise a side could be convicted in one and then bring the next.
  func convicting(
    _ disputes: [DisputedEpoch], in record: JointRecord, of activation: ActivationRecord
  ) throws(Refusal) -> JointRecord {
    var corrected = record
    let parties = try parties(of: activation)
    for dispute in disputes where dispute.epoch <= record.epoch {
      guard let side = dispute.against else { continue }
      let index = parties.segmentIndex(of: dispute.epoch)
      guard record.segments.indices.contains(index) else { throw .code(.receiptMismatch) }
      let segment = parties.segment(of: dispute.epoch)
      corrected.segments[index].count(oneEpochAgainst: side, rules: segment.terms.rules)
      do throws(PayoutError) {
        let account = corrected.segments[index]
        corrected.segments[index].amountDue = try segment.terms.amountDue(account.epochCounters)
        corrected.segments[index].penaltiesDue = try segment.terms.penaltiesDue(
          account.ruleCounters, bookedEpochs: segment.bookedEpochs)
      } catch {
        throw .code(.receiptMismatch)
      }
    }
    return corrected
  }
}

/// Two statements by one signer that cannot both be true: two receipts of one point for one epoch, two commitments to
/// one, or two records of one.
private struct Contradiction {
  let side: AccountingSide
  let epoch: EpochNumber

  private struct Statement: Equatable {
    let side: AccountingSide
    let epoch: EpochNumber
    let point: MeteredPoint?
  }

  /// - Returns: nil where both may be true, or the signer does not speak for either side.
  init?(_ first: Envelope, _ second: Envelope, parties: AccountParties) {
    guard first.kind == second.kind, first.signer == second.signer, first.payload != second.payload,
      let one = Self.statement(first, parties), one == Self.statement(second, parties)
    else { return nil }
    side = one.side
    epoch = one.epoch
  }

  private static func statement(_ envelope: Envelope, _ parties: AccountParties) -> Statement? {
    guard let signer = envelope.signer else { return nil }
    switch envelope.kind {
    case SLAReceipt.kind:
      guard let receipt = try? envelope.decode(SLAReceipt.self), receipt.activation == parties.activation,
        parties.signer(of: receipt.meteredPoint, in: receipt.epoch) == signer
      else { return nil }
      return Statement(side: receipt.point.side, epoch: receipt.epoch, point: receipt.meteredPoint)
    case EpochCommitment.kind:
      guard let commitment = try? envelope.decode(EpochCommitment.self), commitment.activation == parties.activation,
        parties.anchor(of: commitment.side) == signer
      else { return nil }
      return Statement(side: commitment.side, epoch: commitment.epoch, point: nil)
    case JointRecord.kind:
      guard let record = try? envelope.decode(JointRecord.self), record.activation == parties.activation,
        let side = AccountingSide.allCases.first(where: { parties.anchor(of: $0) == signer })
      else { return nil }
      return Statement(side: side, epoch: record.epoch, point: nil)
    default: return nil
    }
  }
}

extension SegmentAccount {
  /// MET for the customer's contradiction, VIOLATED for the operator's. Into which counters the epoch went is not in
  /// the record, and who signed two truths about it has no claim to the milder reading: what is taken away is whatever
  /// did most for that side, one epoch of it, and one verdict of every rule that judges epochs alone.
  fileprivate mutating func count(oneEpochAgainst side: AccountingSide, rules: [Rule]) {
    let order: [Verdict] =
      side == .customer ? [.violated, .contested, .inconclusive] : [.met, .inconclusive, .contested]
    let verdict: Verdict = side == .customer ? .met : .violated
    if let from = order.first(where: { epochCounters[$0] > 0 }) {
      epochCounters[from] -= 1
      epochCounters[verdict] += 1
    }
    for (index, rule) in rules.enumerated() where rule.window == 1 {
      guard let from = order.first(where: { ruleCounters[index][$0] > 0 }) else { continue }
      ruleCounters[index][from] -= 1
      ruleCounters[index][verdict] += 1
    }
  }
}

/// Counters of epochs, or of one rule.
private protocol CountersByVerdict {
  var met: UInt64 { get set }
  var violated: UInt64 { get set }
  var inconclusive: UInt64 { get set }
  var contested: UInt64 { get set }
}

extension EpochCounters: CountersByVerdict {}
extension RuleCounters: CountersByVerdict {}

extension CountersByVerdict {
  fileprivate subscript(verdict: Verdict) -> UInt64 {
    get {
      switch verdict {
      case .met: met
      case .violated: violated
      case .inconclusive: inconclusive
      case .contested: contested
      }
    }
    set {
      switch verdict {
      case .met: met = newValue
      case .violated: violated = newValue
      case .inconclusive: inconclusive = newValue
      case .contested: contested = newValue
      }
    }
  }
}
