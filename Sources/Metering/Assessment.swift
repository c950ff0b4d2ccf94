import Messages

/// Judging one rule's evidence (sla.md, "Joint record"): MET if the worst case within the error bound is inside,
/// VIOLATED if even the best case is outside, else INCONCLUSIVE; CONTESTED where it is outside only if the loss on an
/// access segment is blamed on the operator. Where the two sides do not even agree in which cell that segment lay, it
/// is INCONCLUSIVE instead (epoch rule 6); what the operator's own receipts admit stays VIOLATED.
///
/// Who alone kept a rule from being judged bears it, before anybody asks whether there were enough samples. How many
/// there were, or would have been, is just what an interrupted point or a missing receipt hides: an edge that is down
/// keeps its customer from sending, an enclave that withholds its receipt keeps its numbers. If too few samples came
/// first, whoever expects worse could always buy INCONCLUSIVE by not counting. So such a MET says who pays, and does
/// not say that five nines were kept; with several epochs in a window the same holds for all of it, since leaving an
/// epoch out would let its owner choose which.
extension Rule {
  /// - Returns: nil when no epoch of the window was served: judged by no rule.
  func verdict(_ evidence: RuleEvidence, specification: HistogramSpecification) -> Verdict? {
    guard evidence.servedEpochs > 0 else { return nil }
    guard evidence.causes.isEmpty else { return evidence.causes.verdict }
    let samples = evidence.all.population
    guard samples >= max(1, minimumSamples) else { return .inconclusive }
    let blamingAll = judge(evidence, evidence.all, specification)
    guard blamingAll == .violated else { return blamingAll }
    guard judge(evidence, evidence.core, specification) != .violated else { return .violated }
    return evidence.isCellDisputed ? .inconclusive : .contested
  }

  /// Never CONTESTED.
  private func judge(
    _ evidence: RuleEvidence, _ reading: RuleEvidence.Reading, _ specification: HistogramSpecification
  ) -> Verdict {
    guard let bounds = bounds(evidence, reading, specification) else { return .inconclusive }
    let isMet: (Int64) -> Bool
    switch comparison {
    case .atMost:
      let limit = Int64(clamping: reference.addingSaturating(tolerance))
      isMet = { $0 <= limit && $0 != .max }
    case .atLeast:
      let limit = Int64(clamping: reference.subtractingToZero(tolerance))
      isMet = { $0 >= limit }
    }
    switch (isMet(bounds.low), isMet(bounds.high)) {
    case (true, true): return .met
    case (false, false): return .violated
    default: return .inconclusive
    }
  }

  /// Between which values the truth lies; nil when there is nothing to judge.
  private func bounds(
    _ evidence: RuleEvidence, _ reading: RuleEvidence.Reading, _ specification: HistogramSpecification
  ) -> DelayBounds? {
    switch metric {
    case .oneWayDelay, .roundTrip, .delayVariation:
      return delayBounds(evidence, reading, specification)?.widened(by: evidence.clockError)
    case .lossRatio:
      return reading.population == 0 ? nil : exact(ratio(reading.lost, reading.population))
    case .throughput, .availability:
      return reading.due == 0 ? nil : exact(ratio(reading.delivered, reading.due))
    case .survivalTime:
      return reading.population == 0 ? nil : exact(Int64(clamping: reading.longestGap))
    }
  }

  private func exact(_ value: Int64) -> DelayBounds { DelayBounds(low: value, high: value) }

  /// Parts per billion, rounded so that comparing with the whole-numbered reference is exact.
  private func ratio(_ part: UInt64, _ whole: UInt64) -> Int64 {
    let scaled = UInt128(part) * UInt128(Self.ratioUnit)
    let whole = UInt128(whole)
    return Int64(clamping: comparison == .atMost ? (scaled + whole - 1) / whole : scaled / whole)
  }

  /// Lost packets rank above all that arrived. Least and mean are of those that arrived (RFC 7679 §5: a mean over
  /// undefined delays is undefined); loss has its own rules.
  private func delayBounds(
    _ evidence: RuleEvidence, _ reading: RuleEvidence.Reading, _ specification: HistogramSpecification
  ) -> DelayBounds? {
    guard reading.population > 0 else { return nil }
    func rank(_ perMille: UInt64) -> DelayBounds {
      let rank = (UInt128(reading.population) * UInt128(perMille) + 999) / 1000
      return evidence.delay?.bounds(ofRank: UInt64(rank), specification: specification) ?? .infinite
    }
    switch statistic {
    case .minimum: return evidence.delay.map { DelayBounds(low: $0.minimum, high: $0.minimum) } ?? .infinite
    case .mean: return evidence.delay?.meanBounds ?? .infinite
    case .p50: return rank(500)
    case .p95: return rank(950)
    case .p99: return rank(990)
    case .p999: return rank(999)
    case .maximum:
      return reading.lost > 0
        ? .infinite : evidence.delay.map { DelayBounds(low: $0.maximum, high: $0.maximum) } ?? .infinite
    case .value: return nil
    }
  }
}

/// The evidence that windowed rules carry from epoch to epoch; one entry per rule, in contract order. Windows begin
/// anew with every segment of an activation.
public struct RuleWindows: Hashable, Sendable {
  var evidence: [RuleEvidence]

  public init(terms: ContractTerms) { evidence = terms.rules.map { _ in RuleEvidence() } }
  init(evidence: [RuleEvidence]) { self.evidence = evidence }
}

/// What an epoch came to.
public struct EpochAssessment: Hashable, Sendable {
  /// Per rule in contract order; nil where a windowed rule's window has not ended or nothing of it was served.
  public let verdicts: [Verdict?]
  /// What the price uses; nil for an epoch that was not served.
  public let outcome: Verdict?
}

/// The one function by which both sides, and anybody later, turn receipts into verdicts. Pure.
///
/// An epoch's outcome is the worst of the rules that judge this epoch alone. Windowed rules give penalties and never
/// price an epoch, the last of their window neither: what it came to is decided by others as well.
///
/// - Parameters:
///   - terms: of the epoch's segment.
///   - segmentStart: its first epoch, where windows begin.
///   - isMaintenance: the epoch overlaps an interruption announced before the activation: not served, whatever the
///     receipts say.
public func assess(
  _ receipts: EpochReceipts, terms: ContractTerms, segmentStart: EpochNumber = 0, isMaintenance: Bool = false,
  windows: inout RuleWindows
) -> EpochAssessment {
  let isServed = receipts.isServed && !isMaintenance
  return assess(
    epoch: receipts.epoch, terms: terms, segmentStart: segmentStart, isServed: isServed,
    interruptions: receipts.interruptions, windows: &windows
  ) { RuleEvidence($0, receipts, terms: terms) }
}

/// An epoch that is judged without receipts: a demand on the ledger was lost, by one side or by both.
func assess(
  lost epoch: EpochNumber, by loser: AccountingSide?, terms: ContractTerms, segmentStart: EpochNumber,
  isMaintenance: Bool, windows: inout RuleWindows
) -> EpochAssessment {
  var evidence = RuleEvidence()
  evidence.servedEpochs = 1
  if let loser { evidence.causes.add(loser) }
  return assess(
    epoch: epoch, terms: terms, segmentStart: segmentStart, isServed: loser != nil && !isMaintenance,
    interruptions: evidence.causes, windows: &windows
  ) { _ in evidence }
}

private func assess(
  epoch: EpochNumber, terms: ContractTerms, segmentStart: EpochNumber, isServed: Bool,
  interruptions: InconclusiveCauses, windows: inout RuleWindows, evidence: (Rule) -> RuleEvidence
) -> EpochAssessment {
  var verdicts: [Verdict?] = []
  var outcome = interruptions.isEmpty ? Verdict.met : interruptions.verdict
  let epochsSoFar = epoch.subtractingToZero(segmentStart).addingSaturating(1)
  for (index, rule) in terms.rules.enumerated() {
    if isServed { windows.evidence[index].merge(evidence(rule)) }
    guard epochsSoFar.isMultiple(of: max(1, rule.window)) else {
      verdicts.append(nil)
      continue
    }
    let verdict = rule.verdict(windows.evidence[index], specification: terms.metering.histogram)
    windows.evidence[index] = RuleEvidence()
    verdicts.append(verdict)
    if rule.window <= 1, let verdict { outcome = max(outcome, verdict) }
  }
  return EpochAssessment(verdicts: verdicts, outcome: isServed ? outcome : nil)
}
