import Signing
import Wire

/// Why terms are no contract: the field, in the wire format's own names, and what it would have to be.
public struct TermsError: Error, Hashable, Sendable, CustomStringConvertible {
  public let field: String
  public let problem: String

  public init(_ field: String, _ problem: String) {
    self.field = field
    self.problem = problem
  }

  public var description: String { "\(field): \(problem)" }
}

extension ContractTerms {
  /// No span of a contract is longer than this: sums of a few of them stay far from 64 bits of nanoseconds.
  public static let maximumSpan: Span = .seconds(366 * 86_400)
  public static let maximumEpochs: UInt64 = 1 << 32

  /// Whether every field can be enforced as it stands. The ledger deploys nothing else; a topology is checked by the
  /// same function, so that the error is found before anything runs.
  public func validate() throws(TermsError) {
    try service.validate()
    guard rules.count <= Self.maximumRules else { throw TermsError("rules", "more than \(Self.maximumRules)") }
    try context.validate()
    try metering.validate()
    try deadlines.validate()
    try validateAnswers()
    try money.validate()
    for (index, rule) in rules.enumerated() {
      try rule.validate("rules[\(index)]", maximumEpochs: context.maximumEpochs)
    }
    let (duration, overflow) = UInt64(metering.epoch.nanoseconds).multipliedReportingOverflow(by: context.maximumEpochs)
    guard !overflow, duration <= UInt64(Self.maximumSpan.nanoseconds) else {
      throw TermsError("context.maximumEpochs", "epochs of \(metering.epoch) beyond \(Self.maximumSpan)")
    }
    try validateAmounts()
    try validateState()
  }

  /// Who is asked may be about to close the epoch, and its last packets are under way: less time than that for an
  /// answer is a contract that an honest side loses.
  private func validateAnswers() throws(TermsError) {
    guard deadlines.answerWithin >= metering.epoch + metering.grace else {
      throw TermsError("deadlines.answerWithin", "must be at least metering.epoch + metering.grace")
    }
  }

  /// What windowed rules carry from epoch to epoch must fit into a demand (``AccountBase``).
  private func validateState() throws(TermsError) {
    let histograms = rules.count { $0.window > 1 && $0.hasHistogram }
    let bytes =
      rules.count * AccountBase.ruleBytesAtMost
      + histograms * Int(clamping: metering.histogram.bucketCount) * AccountBase.bucketBytesAtMost
    guard bytes <= AccountBase.maximumStateBytes else {
      throw TermsError(
        "rules", "\(histograms) delay rules over several epochs and such a histogram exceed what can be demanded")
    }
  }

  /// E + B of the longest booking must have 64 bits: then no payout of this contract can overflow.
  private func validateAmounts() throws(TermsError) {
    do throws(PayoutError) {
      _ = try escrow(epochs: context.maximumEpochs).adding(bond(epochs: context.maximumEpochs))
    } catch {
      throw TermsError("money", "escrow and bond of \(context.maximumEpochs) epochs exceed 64 bits")
    }
  }
}

extension ServiceTerms {
  /// A datagram of the data plane, bytes.
  public static let packetBytesAtMost: UInt64 = 2048
  /// Room for the header, bytes.
  public static let packetBytesAtLeast: UInt64 = 64

  func validate() throws(TermsError) {
    try checkName(profile, "service.profile")
    guard guaranteedUp <= maximumUp else { throw TermsError("service.guaranteedUp", "above service.maximumUp") }
    guard guaranteedDown <= maximumDown else { throw TermsError("service.guaranteedDown", "above service.maximumDown") }
    guard maximumUp > 0 || maximumDown > 0 else { throw TermsError("service.maximumUp", "no rate in either direction") }
    guard (Self.packetBytesAtLeast...Self.packetBytesAtMost).contains(maximumPacketBytes) else {
      throw TermsError(
        "service.maximumPacketBytes", "must be \(Self.packetBytesAtLeast)–\(Self.packetBytesAtMost)")
    }
    guard functionChain.count <= Self.maximumFunctions else {
      throw TermsError("service.functionChain", "more than \(Self.maximumFunctions)")
    }
    for function in functionChain { try checkName(function, "service.functionChain") }
  }
}

extension Rule {
  /// Ratios are parts per billion.
  public static let ratioUnit: UInt64 = 1_000_000_000

  /// Whether it is judged by a distribution, or by one number per epoch.
  var hasHistogram: Bool {
    switch metric {
    case .oneWayDelay, .roundTrip, .delayVariation: true
    case .lossRatio, .throughput, .availability, .survivalTime: false
    }
  }

  func validate(_ field: String, maximumEpochs: UInt64) throws(TermsError) {
    guard window >= 1 else { throw TermsError("\(field).window", "must be at least 1 epoch") }
    guard window <= maximumEpochs else {
      throw TermsError("\(field).window", "longer than context.maximumEpochs: it would never be judged")
    }
    guard (statistic == .value) != hasHistogram else {
      throw TermsError(
        "\(field).statistic", hasHistogram ? "\(metric) needs a statistic" : "must be `value` for \(metric)")
    }
    let (limit, overflow) = reference.addingReportingOverflow(tolerance)
    guard !overflow else { throw TermsError("\(field).tolerance", "reference + tolerance exceed 64 bits") }
    switch metric {
    case .lossRatio, .throughput, .availability:
      guard reference <= Self.ratioUnit else {
        throw TermsError("\(field).reference", "above \(Self.ratioUnit) parts per billion")
      }
    case .oneWayDelay, .roundTrip, .delayVariation, .survivalTime:
      guard limit <= UInt64(ContractTerms.maximumSpan.nanoseconds) else {
        throw TermsError("\(field).reference", "longer than \(ContractTerms.maximumSpan)")
      }
    }
  }
}

extension ContextTerms {
  func validate() throws(TermsError) {
    guard minimumEpochs >= 1 else { throw TermsError("context.minimumEpochs", "must be at least 1") }
    guard minimumEpochs <= maximumEpochs else {
      throw TermsError("context.minimumEpochs", "above context.maximumEpochs")
    }
    guard maximumEpochs <= ContractTerms.maximumEpochs else {
      throw TermsError("context.maximumEpochs", "above \(ContractTerms.maximumEpochs)")
    }
    guard serviceTimes.count <= Self.maximumEntries else {
      throw TermsError("context.serviceTimes", "more than \(Self.maximumEntries)")
    }
    for (index, window) in serviceTimes.enumerated() where window.from >= window.to {
      throw TermsError("context.serviceTimes[\(index)]", "ends before it begins")
    }
    try checkNames(serviceArea, "context.serviceArea", maximum: Self.maximumEntries)
    try checkNames(allowedPeers, "context.allowedPeers", maximum: Self.maximumEntries)
  }
}

extension MoneyTerms {
  func validate() throws(TermsError) {
    guard inconclusiveShare <= Self.shareUnit else {
      throw TermsError("money.inconclusiveShare", "above \(Self.shareUnit) parts per million")
    }
    guard contestedShare <= Self.shareUnit else {
      throw TermsError("money.contestedShare", "above \(Self.shareUnit) parts per million")
    }
  }
}

extension MeteringTerms {
  func validate() throws(TermsError) {
    try checkSpan(epoch, "metering.epoch", atLeast: Span(nanoseconds: 1))
    try checkSpan(maximumTransit, "metering.maximumTransit", atLeast: Span(nanoseconds: 1))
    try checkSpan(grace, "metering.grace", atLeast: .zero)
    try checkSpan(delaySpread, "metering.delaySpread", atLeast: .zero)
    try checkSpan(clockErrorBound, "metering.clockErrorBound", atLeast: .zero)
    // Epoch rule 2: otherwise packets of an epoch cannot be told from its neighbours' at all points.
    guard epoch > (clockErrorBound + delaySpread) * 2 else {
      throw TermsError("metering.epoch", "must exceed 2 · (clockErrorBound + delaySpread)")
    }
    // Epoch rule 3: a packet is lost when it is later than T_max, not when the epoch was closed too early.
    guard grace >= maximumTransit else { throw TermsError("metering.grace", "must be at least maximumTransit") }
    try histogram.validate()
    guard !allowedMeasurements.isEmpty else {
      throw TermsError("metering.allowedMeasurements", "empty: no enclave could ever account for it")
    }
    guard allowedMeasurements.count <= Self.maximumMeasurements else {
      throw TermsError("metering.allowedMeasurements", "more than \(Self.maximumMeasurements)")
    }
    guard Set(allowedMeasurements).count == allowedMeasurements.count else {
      throw TermsError("metering.allowedMeasurements", "named twice")
    }
  }
}

extension HistogramSpecification {
  func validate() throws(TermsError) {
    guard unit >= 1 else { throw TermsError("metering.histogram.unit", "must be at least 1 ns") }
    guard (1...8).contains(subBits) else { throw TermsError("metering.histogram.subBits", "must be 1–8") }
    guard highest > unit, highest <= UInt64(ContractTerms.maximumSpan.nanoseconds) else {
      throw TermsError("metering.histogram.highest", "must exceed unit and be at most \(ContractTerms.maximumSpan)")
    }
  }
}

extension DeadlineTerms {
  func validate() throws(TermsError) {
    try checkSpan(confirmWithin, "deadlines.confirmWithin", atLeast: Span(nanoseconds: 1))
    try checkSpan(startLead, "deadlines.startLead", atLeast: .zero)
    try checkSpan(settlementWindow, "deadlines.settlementWindow", atLeast: Span(nanoseconds: 1))
    try checkSpan(settleWithin, "deadlines.settleWithin", atLeast: Span(nanoseconds: 1))
    try checkSpan(answerWithin, "deadlines.answerWithin", atLeast: .zero)
    try checkSpan(demandWithin, "deadlines.demandWithin", atLeast: .zero)
  }
}

private func checkSpan(_ span: Span, _ field: String, atLeast least: Span) throws(TermsError) {
  guard span >= least else { throw TermsError(field, "must be at least \(least)") }
  guard span <= ContractTerms.maximumSpan else { throw TermsError(field, "longer than \(ContractTerms.maximumSpan)") }
}

private func checkName(_ name: String, _ field: String) throws(TermsError) {
  guard !name.isEmpty, name.utf8.count <= ServiceTerms.maximumNameBytes else {
    throw TermsError(field, "names have 1–\(ServiceTerms.maximumNameBytes) bytes")
  }
}

private func checkNames(_ names: [String], _ field: String, maximum: Int) throws(TermsError) {
  guard !names.isEmpty else { throw TermsError(field, "empty: nobody could ever activate it") }
  guard names.count <= maximum else { throw TermsError(field, "more than \(maximum)") }
  for name in names { try checkName(name, field) }
  guard Set(names).count == names.count else { throw TermsError(field, "a name twice") }
}
