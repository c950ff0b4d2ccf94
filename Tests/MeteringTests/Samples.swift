import Messages
import Metering
import Signing

/// A one-second-epoch contract and its parties, for stories about receipts and records.
enum Samples {
  static let network = Digest(hashing: [1])
  static let start = Instant(nanoseconds: 1_700_000_000_000_000_000)
  static let activation = ActivationID(Digest(hashing: [2]))

  static func key(_ number: UInt8) throws -> SigningKey {
    try SigningKey(seed: [UInt8](repeating: number, count: 32), scheme: .simulated)
  }

  static func rule(
    _ metric: Rule.Metric, _ statistic: Rule.Statistic = .value, _ direction: Direction = .up,
    _ comparison: Rule.Comparison = .atMost, reference: UInt64, window: UInt64 = 1, minimumSamples: UInt64 = 1,
    penalty: Amount = 10
  ) -> Rule {
    Rule(
      metric: metric, statistic: statistic, direction: direction, comparison: comparison, reference: reference,
      tolerance: 0, window: window, minimumSamples: minimumSamples, penalty: penalty)
  }

  static func terms(_ rules: [Rule], gated: Bool = true) throws -> ContractTerms {
    ContractTerms(
      operatorID: OrganisationID(try key(100).publicKey), deploymentNumber: 1,
      service: ServiceTerms(
        profile: "test", guaranteedUp: 1_000_000, guaranteedDown: 1_000_000, maximumUp: 2_000_000,
        maximumDown: 2_000_000, maximumPacketBytes: 1500, functionChain: [], sharing: .shared),
      rules: rules,
      context: ContextTerms(
        serviceTimes: [], serviceArea: ["cell"], allowedPeers: ["peer"], minimumEpochs: 1, maximumEpochs: 1000),
      money: MoneyTerms(
        pricePerEpoch: 100, reservationFee: 50, terminationPenalty: 0, inconclusiveShare: 500_000,
        contestedShare: 250_000, penaltyCap: nil),
      metering: MeteringTerms(
        epoch: .seconds(1), grace: .milliseconds(200), maximumTransit: .milliseconds(100),
        delaySpread: .milliseconds(50), clockErrorBound: .milliseconds(1), histogram: .standard, gated: gated,
        minimumAttestationLevel: .software, allowedMeasurements: [.zero]),
      deadlines: DeadlineTerms(
        confirmWithin: .seconds(10), startLead: .seconds(1), settlementWindow: .seconds(10), settleWithin: .seconds(60))
    )
  }

  static func clock(_ terms: ContractTerms, epochs: UInt64 = 10) throws -> EpochClock {
    guard let clock = EpochClock(startAt: start, epochs: epochs, metering: terms.metering) else { throw Missing() }
    return clock
  }

  static func parties(_ terms: ContractTerms, epochs: UInt64 = 10) throws -> AccountParties {
    AccountParties(
      activation: activation, terms: terms, bookedEpochs: epochs, enclaves: [try key(1).publicKey],
      edge: try key(2).publicKey)
  }

  struct Missing: Error {}
}

/// What happened in one epoch, told packet by packet, as both sides' receipts.
struct EpochStory {
  var epoch: EpochNumber = 0
  /// Per direction.
  var sent: UInt64 = 200
  var lostOnAccess: UInt64 = 0
  var lostInCore: UInt64 = 0
  var delay = Span.milliseconds(5)
  var probes: UInt64 = 4
  var packetBytes = 500
  var customerCondition = EpochCondition.whole
  var operatorCondition = EpochCondition.whole
  var customerClock = ClockQuality(source: .ntp, synchronised: true, errorBound: .microseconds(100))
  var operatorClock = ClockQuality(source: .ptp, synchronised: true, errorBound: .microseconds(10))
  /// Sequence numbers go on from epoch to epoch.
  var firstSequence: UInt64 { epoch * 10_000 }

  /// Runs the packets through real meters. Losses come first; deliveries are spread over the epoch.
  func tallies(_ terms: ContractTerms) throws -> [MeteredPoint: Tally] {
    let clock = try Samples.clock(terms)
    var tallies: [MeteredPoint: Tally] = [:]
    for direction in Direction.allCases {
      let points =
        direction == .up
        ? [MeasurementPoint.enclaveTransmit, .edgeIngress, .endpointReceive]
        : [.endpointTransmit, .edgeEgress, .enclaveReceive]
      var meters = points.map {
        PointMeter(point: MeteredPoint(direction, $0), terms: terms, clock: clock, firstOpen: epoch)
      }
      let spacing = terms.metering.epoch.nanoseconds / Int64(max(1, sent))
      for index in 0..<sent {
        let header = PacketHeader(
          direction: direction, flow: 1, epoch: epoch, sequence: firstSequence + index,
          sent: clock.start(of: epoch) + Span(nanoseconds: spacing * Int64(index)))
        meters[0].sent(header, bytes: packetBytes)
        let isLostFirst = index < (direction == .up ? lostOnAccess : lostInCore)
        if isLostFirst { continue }
        _ = meters[1].received(header, bytes: packetBytes, at: header.sent + .milliseconds(1))
        meters[1].passedOn(header, bytes: packetBytes)
        if index < lostOnAccess + lostInCore { continue }
        _ = meters[2].received(header, bytes: packetBytes, at: header.sent + delay)
      }
      if direction == .down {
        for _ in 0..<probes {
          meters[2].probed(epoch: epoch)
          meters[2].echoed(probeEpoch: epoch, roundTrip: delay * 2)
        }
      }
      for (point, index) in zip(points, meters.indices) {
        tallies[MeteredPoint(direction, point)] = meters[index].close(epoch)
      }
    }
    return tallies
  }

  func receipts(
    _ side: AccountingSide, _ terms: ContractTerms, previous: (MeteredPoint) -> Digest = { _ in .zero }
  ) throws -> [SLAReceipt] {
    let tallies = try tallies(terms)
    let heading = ReceiptHeading(
      activation: Samples.activation, flow: 1, cell: "cell",
      clock: side == .customer ? customerClock : operatorClock, attestation: .zero)
    return try side.points.map { point in
      guard let tally = tallies[point] else { throw Samples.Missing() }
      return tally.receipt(
        heading, point: point, epoch: epoch, condition: side == .customer ? customerCondition : operatorCondition,
        previous: previous(point), terminal: false)
    }
  }

  func assess(_ terms: ContractTerms) throws -> EpochAssessment {
    var windows = RuleWindows(terms: terms)
    return try assess(terms, &windows)
  }

  func assess(_ terms: ContractTerms, _ windows: inout RuleWindows) throws -> EpochAssessment {
    let receipts = EpochReceipts(
      epoch: epoch, customer: try receipts(.customer, terms), networkOperator: try receipts(.networkOperator, terms))
    return Metering.assess(receipts, terms: terms, windows: &windows)
  }
}
