import Messages
import Signing
import Wire

/// Why a record does not follow from what was opened. The records of this activation end before it.
public enum AccountError: Error, Equatable, Sendable {
  case customerReceipts(ReceiptRefusal)
  case operatorReceipts(ReceiptRefusal)
  /// The next epoch to be recorded is another one.
  case wrongEpoch(expected: EpochNumber)
  /// Amounts or counters beyond the booking.
  case payout(PayoutError)
}

/// Who accounts for an activation, and under which terms: what both ends know before the first epoch.
public struct AccountParties: Sendable {
  public var activation: ActivationID
  public var terms: ContractTerms
  public var bookedEpochs: UInt64
  /// Receipt keys of the enclaves that the activation names.
  public var enclaves: [PublicKey]
  public var edge: PublicKey

  public init(
    activation: ActivationID, terms: ContractTerms, bookedEpochs: UInt64, enclaves: [PublicKey], edge: PublicKey
  ) {
    self.activation = activation
    self.terms = terms
    self.bookedEpochs = bookedEpochs
    self.enclaves = enclaves
    self.edge = edge
  }

  public init(activation: ActivationID, terms: ContractTerms, order: ActivationOrder, confirmation: SliceConfirmation) {
    self.init(
      activation: activation, terms: terms, bookedEpochs: order.epochs, enclaves: order.enclaves,
      edge: confirmation.edge)
  }

  func signers(of side: AccountingSide) -> [PublicKey] { side == .customer ? enclaves : [edge] }
}

/// The joint account of one activation: the fold of opened receipts into records. Both ends keep one and come to the
/// same bytes; a third party that is given the receipts does too.
public struct JointAccount: Sendable {
  public let parties: AccountParties
  public private(set) var last: JointRecord?
  private(set) var chain = ReceiptChain()
  private var windows: RuleWindows

  public init(parties: AccountParties) {
    self.parties = parties
    windows = RuleWindows(terms: parties.terms)
  }

  /// The epoch whose record comes next.
  public var nextEpoch: EpochNumber { last.map { $0.epoch + 1 } ?? 0 }
  public var lastDigest: Digest { last?.digest ?? .zero }

  /// The record that follows from both sides' receipts of the next epoch, and the account after it.
  func appending(
    epoch: EpochNumber, customer: ReceiptSet, networkOperator: ReceiptSet
  ) throws(AccountError) -> JointAccount {
    guard epoch == nextEpoch else { throw .wrongEpoch(expected: nextEpoch) }
    let customerReceipts: [SLAReceipt]
    let operatorReceipts: [SLAReceipt]
    do throws(ReceiptRefusal) {
      customerReceipts = try open(customer, .customer, epoch)
    } catch {
      throw .customerReceipts(error)
    }
    do throws(ReceiptRefusal) {
      operatorReceipts = try open(networkOperator, .networkOperator, epoch)
    } catch {
      throw .operatorReceipts(error)
    }
    var next = self
    let receipts = EpochReceipts(epoch: epoch, customer: customerReceipts, networkOperator: operatorReceipts)
    let assessment = assess(receipts, terms: parties.terms, windows: &next.windows)
    next.last = try record(receipts, assessment, customer: customer.digest, networkOperator: networkOperator.digest)
    next.chain.advance(customerReceipts)
    next.chain.advance(operatorReceipts)
    return next
  }

  private func open(
    _ set: ReceiptSet, _ side: AccountingSide, _ epoch: EpochNumber
  ) throws(ReceiptRefusal) -> [SLAReceipt] {
    try set.open(
      side: side, activation: parties.activation, epoch: epoch, signers: parties.signers(of: side), previous: chain)
  }

  private func record(
    _ receipts: EpochReceipts, _ assessment: EpochAssessment, customer: Digest, networkOperator: Digest
  ) throws(AccountError) -> JointRecord {
    var ruleCounters = last?.ruleCounters ?? parties.terms.rules.map { _ in RuleCounters() }
    for (index, verdict) in assessment.verdicts.enumerated() {
      if let verdict { ruleCounters[index].count(verdict) }
    }
    var epochCounters = last?.epochCounters ?? EpochCounters()
    epochCounters.count(assessment.outcome)
    do throws(PayoutError) {
      return JointRecord(
        activation: parties.activation, epoch: receipts.epoch, customerReceipts: customer,
        operatorReceipts: networkOperator, verdicts: assessment.verdicts, ruleCounters: ruleCounters,
        epochCounters: epochCounters, amountDue: try parties.terms.amountDue(epochCounters),
        penaltiesDue: try parties.terms.penaltiesDue(ruleCounters, bookedEpochs: parties.bookedEpochs),
        previous: lastDigest)
    } catch {
      throw .payout(error)
    }
  }
}

extension RuleCounters {
  mutating func count(_ verdict: Verdict) {
    switch verdict {
    case .met: met += 1
    case .violated: violated += 1
    case .inconclusive: inconclusive += 1
    case .contested: contested += 1
    }
    currentBadRun = verdict == .met ? 0 : currentBadRun + 1
    longestBadRun = max(longestBadRun, currentBadRun)
  }
}

extension EpochCounters {
  mutating func count(_ outcome: Verdict?) {
    switch outcome {
    case .met?: met += 1
    case .violated?: violated += 1
    case .inconclusive?: inconclusive += 1
    case .contested?: contested += 1
    case nil: notServed += 1
    }
  }
}
