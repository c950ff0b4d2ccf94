import Signing
import Wire

/// The two directions of a flow, as the customer sees them.
public enum Direction: UInt8, Sendable, CaseIterable, WireCodable, Comparable {
  /// From the customer's enclave into the network.
  case up = 1
  /// From the network to the customer's enclave.
  case down = 2

  public static func < (left: Direction, right: Direction) -> Bool { left.rawValue < right.rawValue }
}

/// The JIT contract (§3.1): an operator's offer, immutable once deployed. Its id is the hash of these bytes, which
/// include the operator and the deployment number. Every field is enforced by somebody; a field nobody enforces is
/// not in the format.
public struct ContractTerms: Hashable, Sendable, WireCodable {
  public var operatorID: OrganisationID
  /// Tells apart equal offers of one operator.
  public var deploymentNumber: UInt64
  public var service: ServiceTerms
  public var rules: [Rule]
  public var context: ContextTerms
  public var money: MoneyTerms
  public var metering: MeteringTerms
  public var deadlines: DeadlineTerms

  public static let maximumRules = 32

  public init(
    operatorID: OrganisationID, deploymentNumber: UInt64, service: ServiceTerms, rules: [Rule], context: ContextTerms,
    money: MoneyTerms, metering: MeteringTerms, deadlines: DeadlineTerms
  ) {
    self.operatorID = operatorID
    self.deploymentNumber = deploymentNumber
    self.service = service
    self.rules = rules
    self.context = context
    self.money = money
    self.metering = metering
    self.deadlines = deadlines
  }

  public var id: ContractID { ContractID(value: Digest(hashing: encoded).value) }

  public func encode(to writer: inout CBORWriter) {
    writer.array(8)
    writer.write(operatorID)
    writer.write(deploymentNumber)
    writer.write(service)
    writer.write(list: rules)
    writer.write(context)
    writer.write(money)
    writer.write(metering)
    writer.write(deadlines)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(8) { (reader) throws(WireError) in
      ContractTerms(
        operatorID: try reader.value(), deploymentNumber: try reader.uint(), service: try reader.value(),
        rules: try reader.list(maximum: Self.maximumRules), context: try reader.value(), money: try reader.value(),
        metering: try reader.value(), deadlines: try reader.value())
    }
  }
}

/// What is delivered (3GPP TS 28.541 ServiceProfile, TS 23.501 §5.7).
public struct ServiceTerms: Hashable, Sendable, WireCodable {
  /// The offer's name among people: `remote-surgery`.
  public var profile: String
  /// Guaranteed rate per direction, bit/s: what the slice reserves and throughput rules are judged against.
  public var guaranteedUp: UInt64
  public var guaranteedDown: UInt64
  /// Maximum rate per direction, bit/s: the edge drops what exceeds it and counts it as dropped by policy.
  public var maximumUp: UInt64
  public var maximumDown: UInt64
  /// Largest packet, bytes, header included; larger ones are dropped by policy.
  public var maximumPacketBytes: UInt64
  /// Network functions every packet passes, in order from the customer.
  public var functionChain: [String]
  public var sharing: Sharing

  /// 3GPP TS 28.541 `resourceSharingLevel`.
  public enum Sharing: UInt8, Sendable, CaseIterable, WireCodable {
    case shared = 1
    case exclusive = 2
  }

  public static let maximumFunctions = 16
  public static let maximumNameBytes = 64

  public init(
    profile: String, guaranteedUp: UInt64, guaranteedDown: UInt64, maximumUp: UInt64, maximumDown: UInt64,
    maximumPacketBytes: UInt64, functionChain: [String], sharing: Sharing
  ) {
    self.profile = profile
    self.guaranteedUp = guaranteedUp
    self.guaranteedDown = guaranteedDown
    self.maximumUp = maximumUp
    self.maximumDown = maximumDown
    self.maximumPacketBytes = maximumPacketBytes
    self.functionChain = functionChain
    self.sharing = sharing
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(8)
    writer.write(profile)
    writer.write(guaranteedUp)
    writer.write(guaranteedDown)
    writer.write(maximumUp)
    writer.write(maximumDown)
    writer.write(maximumPacketBytes)
    writer.write(list: functionChain)
    writer.write(sharing)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(8) { (reader) throws(WireError) in
      ServiceTerms(
        profile: try reader.text(maximum: Self.maximumNameBytes), guaranteedUp: try reader.uint(),
        guaranteedDown: try reader.uint(), maximumUp: try reader.uint(), maximumDown: try reader.uint(),
        maximumPacketBytes: try reader.uint(), functionChain: try reader.list(maximum: Self.maximumFunctions),
        sharing: try reader.value())
    }
  }
}

/// One promise and what breaking it costs (§3.1; IPPM metrics: RFC 7679, 7680, 3393, 2681).
public struct Rule: Hashable, Sendable, WireCodable {
  public enum Metric: UInt8, Sendable, CaseIterable, WireCodable {
    /// One-way delay of the direction (RFC 7679), nanoseconds. Lost packets count as infinitely late.
    case oneWayDelay = 1
    /// Round trip of probes (RFC 2681), nanoseconds.
    case roundTrip = 2
    /// Packet delay variation between consecutive packets (RFC 3393), nanoseconds.
    case delayVariation = 3
    /// Lost ÷ sent (RFC 7680), parts per billion.
    case lossRatio = 4
    /// Delivered bit/s against min(offered, guaranteed), parts per billion.
    case throughput = 5
    /// Share of the epoch's 100 ms slots with traffic in which something arrived, parts per billion (TS 22.261).
    case availability = 6
    /// Longest run without a delivery while packets were sent (TS 22.104 survival time), nanoseconds.
    case survivalTime = 7
  }

  public enum Statistic: UInt8, Sendable, CaseIterable, WireCodable {
    case minimum = 1
    case mean = 2
    case p50 = 3
    case p95 = 4
    case p99 = 5
    case p999 = 6
    /// The metric is one number per epoch: ratio, throughput, availability, survival time.
    case value = 7
    case maximum = 8
  }

  public enum Comparison: UInt8, Sendable, CaseIterable, WireCodable {
    case atMost = 1
    case atLeast = 2
  }

  public var metric: Metric
  public var statistic: Statistic
  public var direction: Direction
  public var comparison: Comparison
  /// In the metric's unit: nanoseconds or parts per billion.
  public var reference: UInt64
  /// How far beyond the reference still counts as met, same unit.
  public var tolerance: UInt64
  /// Epochs judged together, ≥ 1. A windowed rule gives its verdict and penalty at the window's last epoch.
  public var window: UInt64
  /// Fewer samples in the window than this: INCONCLUSIVE, and the result says so.
  public var minimumSamples: UInt64
  /// Paid by the operator for each VIOLATED verdict.
  public var penalty: Amount

  public init(
    metric: Metric, statistic: Statistic, direction: Direction, comparison: Comparison, reference: UInt64,
    tolerance: UInt64, window: UInt64, minimumSamples: UInt64, penalty: Amount
  ) {
    self.metric = metric
    self.statistic = statistic
    self.direction = direction
    self.comparison = comparison
    self.reference = reference
    self.tolerance = tolerance
    self.window = window
    self.minimumSamples = minimumSamples
    self.penalty = penalty
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(9)
    writer.write(metric)
    writer.write(statistic)
    writer.write(direction)
    writer.write(comparison)
    writer.write(reference)
    writer.write(tolerance)
    writer.write(window)
    writer.write(minimumSamples)
    writer.write(penalty)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(9) { (reader) throws(WireError) in
      Rule(
        metric: try reader.value(), statistic: try reader.value(), direction: try reader.value(),
        comparison: try reader.value(), reference: try reader.uint(), tolerance: try reader.uint(),
        window: try reader.uint(), minimumSamples: try reader.uint(), penalty: try reader.uint())
    }
  }
}

/// When, where and towards whom the offer holds.
public struct ContextTerms: Hashable, Sendable, WireCodable {
  /// Activations must lie inside one of these whole; none means always.
  public var serviceTimes: [TimeWindow]
  /// Cells in which the guarantee holds.
  public var serviceArea: [String]
  /// Whom the flow may talk to: operator-side endpoints and organisations of other customers, by name. The edge drops
  /// and counts the rest. Packets name their destination by its place in this list.
  public var allowedPeers: [String]
  public var minimumEpochs: UInt64
  public var maximumEpochs: UInt64

  public static let maximumEntries = 256

  public init(
    serviceTimes: [TimeWindow], serviceArea: [String], allowedPeers: [String], minimumEpochs: UInt64,
    maximumEpochs: UInt64
  ) {
    self.serviceTimes = serviceTimes
    self.serviceArea = serviceArea
    self.allowedPeers = allowedPeers
    self.minimumEpochs = minimumEpochs
    self.maximumEpochs = maximumEpochs
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(5)
    writer.write(list: serviceTimes)
    writer.write(list: serviceArea)
    writer.write(list: allowedPeers)
    writer.write(minimumEpochs)
    writer.write(maximumEpochs)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(5) { (reader) throws(WireError) in
      ContextTerms(
        serviceTimes: try reader.list(maximum: Self.maximumEntries),
        serviceArea: try reader.list(maximum: Self.maximumEntries),
        allowedPeers: try reader.list(maximum: Self.maximumEntries), minimumEpochs: try reader.uint(),
        maximumEpochs: try reader.uint())
    }
  }
}

/// A half-open span of time, `from ..< to`.
public struct TimeWindow: Hashable, Sendable, WireCodable {
  public var from: Instant
  public var to: Instant

  public init(from: Instant, to: Instant) {
    self.from = from
    self.to = to
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(from)
    writer.write(to)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      TimeWindow(from: try reader.value(), to: try reader.value())
    }
  }
}

/// What it costs and who bears what (sla.md, "The activation").
public struct MoneyTerms: Hashable, Sendable, WireCodable {
  public var pricePerEpoch: Amount
  /// F: the operator's from ConfirmSlice on, unless it terminates or loses a DemandService.
  public var reservationFee: Amount
  /// Paid when the operator terminates or never serves.
  public var terminationPenalty: Amount
  /// The operator's share of the price of an epoch that is INCONCLUSIVE through both or neither, parts per million.
  public var inconclusiveShare: UInt64
  /// The operator's share of the price of a CONTESTED epoch, parts per million.
  public var contestedShare: UInt64
  /// All penalties together are at most this; nil means at most what every rule violated in every epoch costs.
  public var penaltyCap: Amount?

  public static let shareUnit: UInt64 = 1_000_000

  public init(
    pricePerEpoch: Amount, reservationFee: Amount, terminationPenalty: Amount, inconclusiveShare: UInt64,
    contestedShare: UInt64, penaltyCap: Amount?
  ) {
    self.pricePerEpoch = pricePerEpoch
    self.reservationFee = reservationFee
    self.terminationPenalty = terminationPenalty
    self.inconclusiveShare = inconclusiveShare
    self.contestedShare = contestedShare
    self.penaltyCap = penaltyCap
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(6)
    writer.write(pricePerEpoch)
    writer.write(reservationFee)
    writer.write(terminationPenalty)
    writer.write(inconclusiveShare)
    writer.write(contestedShare)
    writer.write(optional: penaltyCap)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(6) { (reader) throws(WireError) in
      MoneyTerms(
        pricePerEpoch: try reader.uint(), reservationFee: try reader.uint(), terminationPenalty: try reader.uint(),
        inconclusiveShare: try reader.uint(), contestedShare: try reader.uint(), penaltyCap: try reader.optional())
    }
  }
}

/// How delivery is accounted (§3.3; sla.md, "Metering").
public struct MeteringTerms: Hashable, Sendable, WireCodable {
  /// Length of an epoch.
  public var epoch: Span
  /// How long after its end an epoch stays open for packets under way; at least `maximumTransit`.
  public var grace: Span
  /// T_max: a packet later than this is lost, and counted late.
  public var maximumTransit: Span
  /// Dmax − Dmin: the spread of one-way delay the path may show. An epoch must exceed twice this plus the clock error.
  public var delaySpread: Span
  /// How far a clock may be off before its own one-way metrics count against its owner.
  public var clockErrorBound: Span
  public var histogram: HistogramSpecification
  /// Whether the record of e must exist before e + 2 is served.
  public var gated: Bool
  public var minimumAttestationLevel: AttestationLevel
  /// Measurements of enclave code accepted for this contract.
  public var allowedMeasurements: [Digest]

  public static let maximumMeasurements = 64

  public init(
    epoch: Span, grace: Span, maximumTransit: Span, delaySpread: Span, clockErrorBound: Span,
    histogram: HistogramSpecification, gated: Bool, minimumAttestationLevel: AttestationLevel,
    allowedMeasurements: [Digest]
  ) {
    self.epoch = epoch
    self.grace = grace
    self.maximumTransit = maximumTransit
    self.delaySpread = delaySpread
    self.clockErrorBound = clockErrorBound
    self.histogram = histogram
    self.gated = gated
    self.minimumAttestationLevel = minimumAttestationLevel
    self.allowedMeasurements = allowedMeasurements
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(9)
    writer.write(epoch)
    writer.write(grace)
    writer.write(maximumTransit)
    writer.write(delaySpread)
    writer.write(clockErrorBound)
    writer.write(histogram)
    writer.write(gated)
    writer.write(minimumAttestationLevel)
    writer.write(list: allowedMeasurements)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(9) { (reader) throws(WireError) in
      MeteringTerms(
        epoch: try reader.value(), grace: try reader.value(), maximumTransit: try reader.value(),
        delaySpread: try reader.value(), clockErrorBound: try reader.value(), histogram: try reader.value(),
        gated: try reader.bool(), minimumAttestationLevel: try reader.value(),
        allowedMeasurements: try reader.list(maximum: Self.maximumMeasurements))
    }
  }
}

/// Buckets of a log-linear histogram: values below 2^(subBits) × unit are exact, above that each power of two is cut
/// into 2^subBits equal buckets. Histograms of one specification merge by adding.
public struct HistogramSpecification: Hashable, Sendable, WireCodable {
  /// Width of the smallest bucket, nanoseconds.
  public var unit: UInt64
  /// Buckets per power of two = 2^subBits, 1…8; the relative error is at most 2^−subBits.
  public var subBits: UInt64
  /// Values at or above this, nanoseconds, share the last finite bucket.
  public var highest: UInt64

  public init(unit: UInt64, subBits: UInt64, highest: UInt64) {
    self.unit = unit
    self.subBits = subBits
    self.highest = highest
  }

  /// Buckets there are at most: two rows of equal ones, and one more row for each further power of two up to
  /// ``highest``.
  public var bucketCount: UInt64 {
    let units = highest / max(unit, 1)
    let powers = UInt64(UInt64.bitWidth - units.leadingZeroBitCount)
    return (1 << subBits) * (powers > subBits ? powers - subBits + 1 : 1)
  }

  /// 1 µs to 10 s at about 3 % resolution.
  public static let standard = HistogramSpecification(unit: 1_000, subBits: 5, highest: 10_000_000_000)

  public func encode(to writer: inout CBORWriter) {
    writer.array(3)
    writer.write(unit)
    writer.write(subBits)
    writer.write(highest)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(3) { (reader) throws(WireError) in
      HistogramSpecification(unit: try reader.uint(), subBits: try reader.uint(), highest: try reader.uint())
    }
  }
}

/// How an attester's claims are protected (RFC 9334 terms). Unknown levels are refused.
public enum AttestationLevel: UInt8, Sendable, CaseIterable, WireCodable, Comparable {
  /// The launcher measures a file and signs with a platform key that it holds in software. Does not protect from
  /// the host's root.
  case software = 1

  public static func < (left: AttestationLevel, right: AttestationLevel) -> Bool { left.rawValue < right.rawValue }
}

/// How long each side has, on the chain's clock.
public struct DeadlineTerms: Hashable, Sendable, WireCodable {
  /// From Activate to ConfirmSlice; then the escrow goes back.
  public var confirmWithin: Span
  /// ConfirmSlice must name a start at least this far after its block's time.
  public var startLead: Span
  /// How long CLOSING stays open for a record of a higher epoch.
  public var settlementWindow: Span
  /// From the end of the last booked epoch to the last moment that CLOSING may be opened.
  public var settleWithin: Span
  /// To answer a demand, on the chain's clock; whoever is silent longer loses it.
  public var answerWithin: Span
  /// How long after its start an activation's customer may demand service.
  public var demandWithin: Span

  public init(
    confirmWithin: Span, startLead: Span, settlementWindow: Span, settleWithin: Span, answerWithin: Span,
    demandWithin: Span
  ) {
    self.confirmWithin = confirmWithin
    self.startLead = startLead
    self.settlementWindow = settlementWindow
    self.settleWithin = settleWithin
    self.answerWithin = answerWithin
    self.demandWithin = demandWithin
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(6)
    for span in [confirmWithin, startLead, settlementWindow, settleWithin, answerWithin, demandWithin] {
      writer.write(span)
    }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(6) { (reader) throws(WireError) in
      DeadlineTerms(
        confirmWithin: try reader.value(), startLead: try reader.value(), settlementWindow: try reader.value(),
        settleWithin: try reader.value(), answerWithin: try reader.value(), demandWithin: try reader.value())
    }
  }
}

extension WireCodable where Self: RawRepresentable, RawValue == UInt8 {
  public func encode(to writer: inout CBORWriter) { writer.write(UInt64(rawValue)) }
  public init(from reader: inout CBORReader) throws(WireError) {
    guard let value = Self(rawValue: try reader.uint(UInt8.self, field: "\(Self.self)")) else {
      throw .invalidValue(field: "\(Self.self)")
    }
    self = value
  }
}
