import Messages
import Signing

extension Topology {
  /// Which operator's offer: `alpha/remote-surgery` in the file.
  public struct ContractReference: Hashable, Sendable, CustomStringConvertible {
    public var operatorName: String
    public var contractName: String

    public init(operatorName: String, contractName: String) {
      self.operatorName = operatorName
      self.contractName = contractName
    }

    public var description: String { "\(operatorName)/\(contractName)" }
  }

  /// An offer as the file states it: everything of ``ContractTerms`` except what only a running network knows (the
  /// operator's id, the instants behind offsets, the measurement of the enclave that was built).
  public struct Contract: Hashable, Sendable {
    public var name: String
    public var service: ServiceTerms
    /// With their names among people, unique in the contract; the ledger knows rules by position.
    public var rules: [NamedRule]
    public var context: Context
    public var money: MoneyTerms
    public var metering: Metering
    public var deadlines: DeadlineTerms

    public init(
      name: String, service: ServiceTerms, rules: [NamedRule], context: Context, money: MoneyTerms, metering: Metering,
      deadlines: DeadlineTerms
    ) {
      self.name = name
      self.service = service
      self.rules = rules
      self.context = context
      self.money = money
      self.metering = metering
      self.deadlines = deadlines
    }
  }

  public struct NamedRule: Hashable, Sendable {
    public var name: String
    public var rule: Rule

    public init(name: String, rule: Rule) {
      self.name = name
      self.rule = rule
    }
  }

  /// ``ContextTerms`` with service times as offsets from the network's start.
  public struct Context: Hashable, Sendable {
    /// Half-open offsets from the genesis time; none means always.
    public var serviceTimes: [OffsetWindow]
    public var serviceArea: [String]
    public var allowedPeers: [String]
    public var minimumEpochs: UInt64
    public var maximumEpochs: UInt64

    public init(
      serviceTimes: [OffsetWindow] = [], serviceArea: [String], allowedPeers: [String], minimumEpochs: UInt64,
      maximumEpochs: UInt64
    ) {
      self.serviceTimes = serviceTimes
      self.serviceArea = serviceArea
      self.allowedPeers = allowedPeers
      self.minimumEpochs = minimumEpochs
      self.maximumEpochs = maximumEpochs
    }
  }

  /// `from ..< to`, counted from the network's start.
  public struct OffsetWindow: Hashable, Sendable {
    public var from: Span
    public var to: Span

    public init(from: Span, to: Span) {
      self.from = from
      self.to = to
    }
  }

  /// ``MeteringTerms`` with measurements that may still be `auto`.
  public struct Metering: Hashable, Sendable {
    public var epoch: Span
    public var grace: Span
    public var maximumTransit: Span
    public var delaySpread: Span
    public var clockErrorBound: Span
    public var histogram: HistogramSpecification
    public var gated: Bool
    public var minimumAttestationLevel: AttestationLevel
    public var allowedMeasurements: [Measurement]

    public init(
      epoch: Span, grace: Span, maximumTransit: Span, delaySpread: Span, clockErrorBound: Span,
      histogram: HistogramSpecification, gated: Bool, minimumAttestationLevel: AttestationLevel,
      allowedMeasurements: [Measurement]
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
  }

  /// What an enclave's code hashes to (RFC 9334 reference value).
  public enum Measurement: Hashable, Sendable {
    /// That of the enclave executable found when the topology is started.
    case auto
    case digest(Digest)
  }
}

extension Topology.Contract {
  /// The offer as it is deployed.
  ///
  /// - Parameters:
  ///   - operatorID: the deploying operator.
  ///   - deploymentNumber: tells apart equal offers of one operator.
  ///   - start: the genesis time; `serviceTimes` count from it.
  ///   - measurements: what `auto` stands for: the enclaves that this topology starts. Order and repetition do not
  ///     matter, so that every process that reads the file makes the same contract id.
  public func terms(
    operatorID: OrganisationID, deploymentNumber: UInt64, start: Instant, measurements: [Digest]
  ) -> ContractTerms {
    ContractTerms(
      operatorID: operatorID, deploymentNumber: deploymentNumber, service: service, rules: rules.map(\.rule),
      context: ContextTerms(
        serviceTimes: context.serviceTimes.map { TimeWindow(from: start + $0.from, to: start + $0.to) },
        serviceArea: context.serviceArea, allowedPeers: context.allowedPeers, minimumEpochs: context.minimumEpochs,
        maximumEpochs: context.maximumEpochs),
      money: money,
      metering: MeteringTerms(
        epoch: metering.epoch, grace: metering.grace, maximumTransit: metering.maximumTransit,
        delaySpread: metering.delaySpread, clockErrorBound: metering.clockErrorBound, histogram: metering.histogram,
        gated: metering.gated, minimumAttestationLevel: metering.minimumAttestationLevel,
        allowedMeasurements: resolve(metering.allowedMeasurements, auto: measurements)),
      deadlines: deadlines)
  }

  private func resolve(_ allowed: [Topology.Measurement], auto: [Digest]) -> [Digest] {
    let digests = allowed.flatMap { measurement in
      switch measurement {
      case .auto: auto
      case .digest(let digest): [digest]
      }
    }
    var ascending: [Digest] = []
    for digest in digests.sorted() where digest != ascending.last { ascending.append(digest) }
    return ascending
  }
}
