import Messages

/// One offer by itself: ranges, and values that contradict each other. ``ContractTerms/validate()`` decides what the
/// ledger deploys, but stops at the first problem and names fields, not places; so every field is looked at here, and
/// that function has the last word.
extension TopologyCheck {
  static let packetBytes = ServiceTerms.packetBytesAtLeast...ServiceTerms.packetBytesAtMost

  mutating func checkContract(_ contract: Topology.Contract, _ pointer: String) {
    let before = findings.count
    checkSections(of: contract, pointer)
    guard findings.count == before else { return }
    do throws(TermsError) {
      try contract.draft.validate()
    } catch {
      self.error(pointer, "the ledger would not deploy this contract: \(error)")
    }
  }

  private mutating func checkSections(of contract: Topology.Contract, _ pointer: String) {
    checkName(contract.name, "\(pointer)/name")
    checkService(contract.service, "\(pointer)/service")
    checkContext(contract.context, "\(pointer)/context")
    checkRules(contract, "\(pointer)/rules")
    checkMetering(contract.metering, "\(pointer)/metering")
    let (longest, overflow) = contract.context.maximumEpochs.multipliedReportingOverflow(
      by: UInt64(max(0, contract.metering.epoch.nanoseconds)))
    require(
      !overflow && longest <= UInt64(ContractTerms.maximumSpan.nanoseconds), "\(pointer)/context/epochs/maximum",
      "so many epochs last longer than 366 days; lower it", basis: ["\(pointer)/metering/epoch"])
    checkDeadlines(contract, "\(pointer)/deadlines")
    checkMoney(contract, "\(pointer)/money")
  }

  // MARK: Service and context

  private mutating func checkService(_ service: ServiceTerms, _ pointer: String) {
    checkName(service.profile, "\(pointer)/profile")
    let most = Topology.Substrate.maximumCapacity
    let directions = [
      ("up", service.guaranteedUp, service.maximumUp), ("down", service.guaranteedDown, service.maximumDown),
    ]
    for (key, guaranteed, maximum) in directions {
      require(guaranteed > 0, "\(pointer)/guaranteed/\(key)", "a guarantee of nothing: give at least 1bit/s")
      require(maximum <= most, "\(pointer)/maximum/\(key)", "must be at most \(most) bit/s")
      require(
        guaranteed <= maximum, "\(pointer)/maximum/\(key)", "the maximum is below the guaranteed rate; raise it")
    }
    require(
      Self.packetBytes.contains(service.maximumPacketBytes), "\(pointer)/maximumPacketBytes",
      "must be \(Self.packetBytes.lowerBound) to \(Self.packetBytes.upperBound)")
    require(
      service.functionChain.count <= ServiceTerms.maximumFunctions, "\(pointer)/functionChain",
      "a chain has at most \(ServiceTerms.maximumFunctions) functions")
  }

  private mutating func checkContext(_ context: Topology.Context, _ pointer: String) {
    let lists = [
      ("serviceTimes", context.serviceTimes.count, 0), ("serviceArea", context.serviceArea.count, 1),
      ("allowedPeers", context.allowedPeers.count, 1),
    ]
    for (key, count, least) in lists {
      require(
        (least...ContextTerms.maximumEntries).contains(count), "\(pointer)/\(key)",
        "must have \(least) to \(ContextTerms.maximumEntries) entries")
    }
    checkUnique(context.serviceArea.enumerated().map { ($1, "\(pointer)/serviceArea/\($0)") }, "cell")
    checkUnique(context.allowedPeers.enumerated().map { ($1, "\(pointer)/allowedPeers/\($0)") }, "peer")
    for (index, window) in context.serviceTimes.enumerated() {
      require(window.from < window.to, "\(pointer)/serviceTimes/\(index)/to", "the window ends before it begins")
    }
    require(context.minimumEpochs > 0, "\(pointer)/epochs/minimum", "must be at least 1")
    require(
      context.minimumEpochs <= context.maximumEpochs, "\(pointer)/epochs/maximum", "must not be below the minimum")
  }

  // MARK: Rules

  private mutating func checkRules(_ contract: Topology.Contract, _ pointer: String) {
    require(
      contract.rules.count <= ContractTerms.maximumRules, pointer,
      "\(contract.rules.count) rules are more than \(ContractTerms.maximumRules); remove some")
    checkUnique(contract.rules.enumerated().map { ($1.name, "\(pointer)/\($0)/name") }, "rule")
    for (index, named) in contract.rules.enumerated() {
      let pointer = "\(pointer)/\(index)"
      let rule = named.rule
      checkName(named.name, "\(pointer)/name")
      require(
        rule.metric.isSampled == (rule.statistic != .value), "\(pointer)/statistic",
        "\(rule.metric.name) is judged by \(rule.metric.isSampled ? "a statistic" : "its value"); correct it")
      let key = rule.comparison == .atMost ? "atMost" : "atLeast"
      require(
        !rule.metric.isRatio || rule.reference <= Rule.ratioUnit, "\(pointer)/\(key)", "a ratio is at most 1")
      require(
        (1...max(1, contract.context.maximumEpochs)).contains(rule.window), "\(pointer)/window",
        "must be 1 to the contract's maximum of \(contract.context.maximumEpochs) epochs")
      if rule.metric == .oneWayDelay, rule.comparison == .atMost, rule.statistic != .minimum {
        require(
          rule.reference < UInt64(max(0, contract.metering.maximumTransit.nanoseconds)), "\(pointer)/atMost",
          "packets later than metering.maximumTransit are lost, so the bound must be below it")
      }
    }
  }

  // MARK: Metering and deadlines

  private mutating func checkMetering(_ metering: Topology.Metering, _ pointer: String) {
    let durations = [
      ("epoch", metering.epoch, Span.milliseconds(10)), ("grace", metering.grace, .zero),
      ("maximumTransit", metering.maximumTransit, .milliseconds(1)), ("delaySpread", metering.delaySpread, .zero),
      ("clockErrorBound", metering.clockErrorBound, .zero),
    ]
    for (key, duration, least) in durations {
      require(
        least <= duration && duration <= ContractTerms.maximumSpan, "\(pointer)/\(key)",
        "must be \(least.nanoseconds / 1_000_000)ms to 366 days")
    }
    // Beyond these the arithmetic below could overflow.
    guard durations.allSatisfy({ $0.1 <= ContractTerms.maximumSpan }) else { return }
    // Epoch rule 2 of sla.md: a packet must not be attributable to more than two neighbouring epochs.
    require(
      metering.epoch > (metering.clockErrorBound + metering.delaySpread) * 2, "\(pointer)/epoch",
      "an epoch must be longer than 2 × (clockErrorBound + delaySpread); lengthen it, or lower those")
    // Epoch rule 3: an epoch stays open for packets that may still arrive in time.
    require(
      metering.grace >= metering.maximumTransit, "\(pointer)/grace",
      "an epoch must stay open for maximumTransit at least; lengthen grace")
    require(metering.delaySpread <= metering.maximumTransit, "\(pointer)/delaySpread", "must not exceed maximumTransit")
    let histogram = metering.histogram
    require(histogram.unit > 0, "\(pointer)/histogram/unit", "must be at least 1ns")
    require((1...8).contains(histogram.subBits), "\(pointer)/histogram/subBits", "must be 1 to 8")
    require(
      histogram.highest >= UInt64(max(0, metering.maximumTransit.nanoseconds)) && histogram.highest > histogram.unit,
      "\(pointer)/histogram/highest", "must reach maximumTransit; raise it")
    require(
      (1...MeteringTerms.maximumMeasurements).contains(metering.allowedMeasurements.count),
      "\(pointer)/allowedMeasurements", "must have 1 to \(MeteringTerms.maximumMeasurements) entries")
  }

  private mutating func checkDeadlines(_ contract: Topology.Contract, _ pointer: String) {
    let deadlines = contract.deadlines
    let durations = [
      ("confirmWithin", deadlines.confirmWithin), ("startLead", deadlines.startLead),
      ("settlementWindow", deadlines.settlementWindow), ("settleWithin", deadlines.settleWithin),
      ("answerWithin", deadlines.answerWithin), ("demandWithin", deadlines.demandWithin),
    ]
    for (key, duration) in durations {
      require(
        .milliseconds(1) <= duration && duration <= ContractTerms.maximumSpan, "\(pointer)/\(key)",
        "must be 1ms to 366 days")
    }
    require(
      deadlines.settleWithin > contract.metering.epoch + contract.metering.grace, "\(pointer)/settleWithin",
      "the last record comes an epoch and a grace after the end; allow more time")
    require(
      deadlines.answerWithin >= contract.metering.epoch + contract.metering.grace, "\(pointer)/answerWithin",
      "who is asked may have to close an epoch first; allow at least an epoch and its grace",
      basis: ["\(pointer.dropLast("/deadlines".count))/metering"])
  }

  // MARK: Money

  private mutating func checkMoney(_ contract: Topology.Contract, _ pointer: String) {
    let money = contract.money
    for (key, share) in [("inconclusiveShare", money.inconclusiveShare), ("contestedShare", money.contestedShare)] {
      require(share <= MoneyTerms.shareUnit, "\(pointer)/\(key)", "must be at most 1")
    }
    require(
      contract.escrow(epochs: contract.context.maximumEpochs) != nil, "\(pointer)/pricePerEpoch",
      "the price of the longest activation does not fit 64 bits; lower it")
    require(
      contract.bond(epochs: contract.context.maximumEpochs) != nil, pointer,
      "all penalties of the longest activation do not fit 64 bits; lower them")
  }
}

extension Topology.Contract {
  /// The terms before a network exists: everything but identities is as it will be deployed.
  var draft: ContractTerms {
    terms(operatorID: OrganisationID(value: .zero), deploymentNumber: 0, start: .zero, measurements: [.zero])
  }

  /// E, see ``ContractTerms/escrow(epochs:)``; nil when it does not fit 64 bits.
  func escrow(epochs: UInt64) -> Amount? { try? draft.escrow(epochs: epochs) }

  /// B, see ``ContractTerms/bond(epochs:)``; nil when it does not fit 64 bits.
  func bond(epochs: UInt64) -> Amount? {
    let terms = draft
    // A rule without a window is reported by itself; nobody can say how often it is judged.
    guard terms.rules.allSatisfy({ $0.window > 0 }) else { return 0 }
    return try? terms.bond(epochs: epochs)
  }
}
