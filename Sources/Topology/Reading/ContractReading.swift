import Messages

/// `contracts:` of an operator. What is left out takes the values documented in the schema.
extension TopologyReading {
  func contract(_ node: SourceNode) -> Topology.Contract? {
    guard var fields = MappingReader(node, "a contract", log: log) else { return nil }
    let name = fields.required("name", .text, else: "")
    let contract = Topology.Contract(
      name: name,
      service: fields.require("service").flatMap { service($0, profile: name) } ?? .substitute,
      rules: ruleList(&fields),
      context: fields.require("context").flatMap(context) ?? .substitute,
      money: fields.require("money").flatMap(money) ?? .substitute,
      metering: fields.take("metering").flatMap(metering) ?? .standard,
      deadlines: fields.take("deadlines").flatMap(deadlines) ?? .standard)
    fields.finish()
    return contract
  }

  private func service(_ node: SourceNode, profile: String) -> ServiceTerms? {
    guard var fields = MappingReader(node, "a service", log: log) else { return nil }
    let guaranteed = fields.require("guaranteed").flatMap(rates) ?? (up: 0, down: 0)
    let maximum = fields.take("maximum").flatMap(rates) ?? guaranteed
    let sharing: [(String, ServiceTerms.Sharing)] = [("shared", .shared), ("exclusive", .exclusive)]
    let service = ServiceTerms(
      profile: fields.optional("profile", .text, default: profile), guaranteedUp: guaranteed.up,
      guaranteedDown: guaranteed.down, maximumUp: maximum.up, maximumDown: maximum.down,
      maximumPacketBytes: fields.optional("maximumPacketBytes", .count, default: 1500),
      functionChain: fields.list("functionChain", of: .text),
      sharing: fields.optional("sharing", .choice(sharing), default: .shared))
    fields.finish()
    return service
  }

  func rates(_ node: SourceNode) -> (up: UInt64, down: UInt64)? {
    guard var fields = MappingReader(node, "rates up and down", log: log) else { return nil }
    let rates = (up: fields.required("up", .rate, else: 0), down: fields.required("down", .rate, else: 0))
    fields.finish()
    return rates
  }

  private func context(_ node: SourceNode) -> Topology.Context? {
    guard var fields = MappingReader(node, "a context", log: log) else { return nil }
    let epochs = fields.require("epochs").flatMap(epochBounds) ?? (minimum: 1, maximum: 1)
    let context = Topology.Context(
      serviceTimes: fields.list("serviceTimes", offsetWindow),
      serviceArea: fields.requiredList("serviceArea", of: .text),
      allowedPeers: fields.requiredList("allowedPeers", of: .text), minimumEpochs: epochs.minimum,
      maximumEpochs: epochs.maximum)
    fields.finish()
    return context
  }

  private func epochBounds(_ node: SourceNode) -> (minimum: UInt64, maximum: UInt64)? {
    guard var fields = MappingReader(node, "bounds of epochs", log: log) else { return nil }
    let bounds = (
      minimum: fields.optional("minimum", .count, default: 1), maximum: fields.required("maximum", .count, else: 1)
    )
    fields.finish()
    return bounds
  }

  func offsetWindow(_ node: SourceNode) -> Topology.OffsetWindow? {
    guard var fields = MappingReader(node, "a window of time", log: log) else { return nil }
    let window = Topology.OffsetWindow(
      from: fields.required("from", .duration, else: .zero), to: fields.required("to", .duration, else: .zero))
    fields.finish()
    return window
  }

  private func money(_ node: SourceNode) -> MoneyTerms? {
    guard var fields = MappingReader(node, "money terms", log: log) else { return nil }
    let money = MoneyTerms(
      pricePerEpoch: fields.required("pricePerEpoch", .amount, else: 0),
      reservationFee: fields.optional("reservationFee", .amount, default: 0),
      terminationPenalty: fields.optional("terminationPenalty", .amount, default: 0),
      inconclusiveShare: fields.optional("inconclusiveShare", .share, default: MoneyTerms.shareUnit / 2),
      contestedShare: fields.optional("contestedShare", .share, default: MoneyTerms.shareUnit / 2),
      penaltyCap: fields.optional("penaltyCap", .amount))
    fields.finish()
    return money
  }

  private func metering(_ node: SourceNode) -> Topology.Metering? {
    guard var fields = MappingReader(node, "metering terms", log: log) else { return nil }
    let standard = Topology.Metering.standard
    let metering = Topology.Metering(
      epoch: fields.optional("epoch", .duration, default: standard.epoch),
      grace: fields.optional("grace", .duration, default: standard.grace),
      maximumTransit: fields.optional("maximumTransit", .duration, default: standard.maximumTransit),
      delaySpread: fields.optional("delaySpread", .duration, default: standard.delaySpread),
      clockErrorBound: fields.optional("clockErrorBound", .duration, default: standard.clockErrorBound),
      histogram: fields.take("histogram").flatMap(histogram) ?? standard.histogram,
      gated: fields.optional("gated", .boolean, default: standard.gated),
      minimumAttestationLevel: fields.optional(
        "minimumAttestationLevel", .choice([("software", AttestationLevel.software)]),
        default: standard.minimumAttestationLevel),
      allowedMeasurements: fields.take("allowedMeasurements") == nil
        ? standard.allowedMeasurements : fields.list("allowedMeasurements", of: .measurement))
    fields.finish()
    return metering
  }

  private func histogram(_ node: SourceNode) -> HistogramSpecification? {
    guard var fields = MappingReader(node, "a histogram", log: log) else { return nil }
    let unit = fields.required("unit", .duration, else: .zero)
    let highest = fields.required("highest", .duration, else: .zero)
    let histogram = HistogramSpecification(
      unit: UInt64(unit.nanoseconds), subBits: fields.required("subBits", .count, else: 5),
      highest: UInt64(highest.nanoseconds))
    fields.finish()
    return histogram
  }

  private func deadlines(_ node: SourceNode) -> DeadlineTerms? {
    guard var fields = MappingReader(node, "deadlines", log: log) else { return nil }
    let standard = DeadlineTerms.standard
    let deadlines = DeadlineTerms(
      confirmWithin: fields.optional("confirmWithin", .duration, default: standard.confirmWithin),
      startLead: fields.optional("startLead", .duration, default: standard.startLead),
      settlementWindow: fields.optional("settlementWindow", .duration, default: standard.settlementWindow),
      settleWithin: fields.optional("settleWithin", .duration, default: standard.settleWithin),
      answerWithin: fields.optional("answerWithin", .duration, default: standard.answerWithin),
      demandWithin: fields.optional("demandWithin", .duration, default: standard.demandWithin))
    fields.finish()
    return deadlines
  }
}

extension ScalarKind where Value == UInt64 {
  /// A ratio in parts per million, as ``MoneyTerms`` keeps shares.
  static var share: ScalarKind {
    ScalarKind(expected: "a share from 0 to 1 such as 50% or 0.25 (whole parts per million)") { text, isPlain in
      guard let parts = ScalarKind.ratio.read(text, isPlain), parts.isMultiple(of: 1_000) else { return nil }
      return parts / 1_000
    }
  }
}

extension Topology.Metering {
  /// Fits one machine or one site: packets arrive within 200 ms or not at all, clocks agree within 1 ms.
  static let standard = Topology.Metering(
    epoch: .seconds(1), grace: .milliseconds(250), maximumTransit: .milliseconds(200), delaySpread: .milliseconds(200),
    clockErrorBound: .milliseconds(1), histogram: .standard, gated: true, minimumAttestationLevel: .software,
    allowedMeasurements: [.auto])
}

extension DeadlineTerms {
  /// Fits a laboratory, where somebody waits for the end.
  static let standard = DeadlineTerms(
    confirmWithin: .seconds(5), startLead: .milliseconds(300), settlementWindow: .seconds(2),
    settleWithin: .seconds(30), answerWithin: .seconds(3), demandWithin: .seconds(10))
}

// What stands in for a section that could not be read; the file is refused already.
extension ServiceTerms {
  static let substitute = ServiceTerms(
    profile: "", guaranteedUp: 0, guaranteedDown: 0, maximumUp: 0, maximumDown: 0, maximumPacketBytes: 0,
    functionChain: [], sharing: .shared)
}

extension Topology.Context {
  static let substitute = Topology.Context(serviceArea: [], allowedPeers: [], minimumEpochs: 1, maximumEpochs: 1)
}

extension MoneyTerms {
  static let substitute = MoneyTerms(
    pricePerEpoch: 0, reservationFee: 0, terminationPenalty: 0, inconclusiveShare: 0, contestedShare: 0, penaltyCap: nil
  )
}
