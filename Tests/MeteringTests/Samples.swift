import Messages
import Metering
import Signing

/// A one-second-epoch contract and its parties, for stories about receipts and records.
enum Samples {
  static let network = Digest(hashing: [1])
  static let start = Instant(nanoseconds: 1_700_000_000_000_000_000)
  static let activation = ActivationID(Digest(hashing: [2]))
  static let peer = PeerNumber(rawValue: 0)

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
        confirmWithin: .seconds(10), startLead: .seconds(1), settlementWindow: .seconds(10), settleWithin: .seconds(60),
        answerWithin: .seconds(5), demandWithin: .seconds(20)))
  }

  static func clock(_ terms: ContractTerms, epochs: UInt64 = 10) throws -> EpochClock {
    guard let clock = EpochClock(startAt: start, epochs: epochs, metering: terms.metering) else { throw Missing() }
    return clock
  }

  /// Keys by who signs: the near enclave, the anchor edge, the far enclave, its edge, and one to hand over to.
  static let (nearEnclave, anchorEdge, farEnclave, farEdge, newEdge): (UInt8, UInt8, UInt8, UInt8, UInt8) =
    (1, 2, 3, 4, 5)

  static func parties(
    _ terms: ContractTerms, epochs: UInt64 = 10, ends: [FlowEnd] = [.near], maintenance: [TimeWindow] = []
  ) throws -> AccountParties {
    let isTwoEnded = ends.contains(.far)
    return AccountParties(
      activation: activation, terms: terms,
      order: ActivationOrder(
        contract: terms.id, epochs: epochs, earliestStart: start, latestStart: start, cell: "cell", peer: "peer",
        enclaves: try (isTwoEnded ? [nearEnclave, farEnclave] : [nearEnclave]).map { try key($0).publicKey },
        peerCell: isTwoEnded ? "far cell" : nil),
      confirmation: SliceConfirmation(
        activation: activation, planHash: .zero, startAt: start, edge: try key(anchorEdge).publicKey,
        peerEdge: isTwoEnded ? try key(farEdge).publicKey : nil),
      maintenance: maintenance)
  }

  static func handover(
    from: EpochNumber, end: FlowEnd = .near, edge: UInt8 = newEdge
  ) throws -> BookingUpdate {
    .handover(
      SliceHandover(
        activation: activation, end: end, from: from, cell: "next cell", edge: try key(edge).publicKey, plan: .zero),
      edge: ActorAddress(.edge, "new"), port: nil)
  }

  static func segment(_ terms: ContractTerms, index: UInt64 = 1, from: EpochNumber, epochs: UInt64) -> BookingUpdate {
    .segment(
      SegmentOrder(activation: activation, index: index, contract: terms.id, epochs: epochs, plan: .zero, expiry: 0),
      terms,
      from: from)
  }

  /// An update that must fit.
  static func apply(_ update: BookingUpdate, to parties: inout AccountParties) throws {
    guard parties.apply(update) else { throw Missing() }
  }

  struct Missing: Error {}
}

/// What happened in one epoch, told packet by packet, as both sides' receipts.
struct EpochStory {
  var epoch: EpochNumber = 0
  var ends: [FlowEnd] = [.near]
  /// Per direction.
  var sent: UInt64 = 200
  /// On the access segment; between two customers the sender's.
  var lostOnAccess: UInt64 = 0
  var lostInCore: UInt64 = 0
  /// Between two customers, on the receiver's access segment.
  var lostOnFarAccess: UInt64 = 0
  var delay = Span.milliseconds(5)
  var probes: UInt64 = 4
  var packetBytes = 500
  var customerCondition = EpochCondition.whole
  var operatorCondition = EpochCondition.whole
  var customerClock = ClockQuality(source: .ntp, synchronised: true, errorBound: .microseconds(100))
  var operatorClock = ClockQuality(source: .ptp, synchronised: true, errorBound: .microseconds(10))
  /// The cell that the enclaves name, if another than their edges.
  var customerCell: String?
  /// Sequence numbers go on from epoch to epoch.
  var firstSequence: UInt64 { epoch * 10_000 }

  /// The points of a direction, and what is lost before each but the first.
  private func path(_ direction: Direction) -> [(point: MeasurementPoint, lost: UInt64)] {
    if ends.contains(.far) {
      return [
        (.enclaveTransmit, 0), (.edgeIngress, lostOnAccess), (.edgeEgress, lostInCore),
        (.enclaveReceive, lostOnFarAccess),
      ]
    }
    return direction == .up
      ? [(.enclaveTransmit, 0), (.edgeIngress, lostOnAccess), (.endpointReceive, lostInCore)]
      : [(.endpointTransmit, 0), (.edgeEgress, lostInCore), (.enclaveReceive, lostOnAccess)]
  }

  /// Runs the packets through real meters. Losses come first; deliveries are spread over the epoch.
  func tallies(_ terms: ContractTerms) throws -> [MeteredPoint: Tally] {
    let clock = try Samples.clock(terms, epochs: max(10, epoch + 1))
    var tallies: [MeteredPoint: Tally] = [:]
    for direction in Direction.allCases {
      let path = path(direction)
      var meters = path.map {
        PointMeter(point: MeteredPoint(direction, $0.point), terms: terms, clock: clock, firstOpen: epoch)
      }
      let spacing = terms.metering.epoch.nanoseconds / Int64(max(1, sent))
      for index in 0..<sent {
        let header = PacketHeader(
          direction: direction, flow: 1, epoch: epoch, peer: Samples.peer, sequence: firstSequence + index,
          sent: clock.start(of: epoch) + Span(nanoseconds: spacing * Int64(index)))
        meters[0].sent(header, bytes: packetBytes)
        var lostSoFar: UInt64 = 0
        for (hop, step) in path.enumerated().dropFirst() {
          lostSoFar += step.lost
          if index < lostSoFar { break }
          let isLast = hop == path.count - 1
          let delay = isLast ? delay : .milliseconds(Int64(hop))
          _ = meters[hop].received(header, bytes: packetBytes, at: header.sent + delay)
          if !isLast { meters[hop].passedOn(header, bytes: packetBytes) }
        }
      }
      if direction == .down {
        for _ in 0..<probes {
          meters[path.count - 1].probed(epoch: epoch)
          meters[path.count - 1].echoed(probeEpoch: epoch, roundTrip: delay * 2)
        }
      }
      for (step, index) in zip(path, meters.indices) {
        tallies[MeteredPoint(direction, step.point)] = meters[index].close(epoch)
      }
    }
    return tallies
  }

  /// - Parameter points: of that side; nil for all.
  func receipts(
    _ side: AccountingSide, _ terms: ContractTerms, points: [MeteredPoint]? = nil,
    previous: (MeteredPoint) -> Digest = { _ in .zero }
  ) throws -> [SLAReceipt] {
    let tallies = try tallies(terms)
    return try (points ?? side.points(ends)).filter { $0.point.side == side }.map { point in
      guard let tally = tallies[point] else { throw Samples.Missing() }
      let heading = ReceiptHeading(
        activation: Samples.activation, flow: 1, cell: side == .customer ? customerCell ?? "cell" : "cell",
        clock: side == .customer ? customerClock : operatorClock, attestation: .zero)
      return tally.receipt(
        heading, point: point, epoch: epoch, condition: side == .customer ? customerCondition : operatorCondition,
        previous: previous(point), terminal: false)
    }
  }

  /// Both sides' sets, each receipt signed by whoever stands there and following `chain`.
  func sets(
    _ parties: AccountParties, after chain: inout [MeteredPoint: Digest], without: [UInt8] = []
  ) throws -> (customer: ReceiptSet, networkOperator: ReceiptSet) {
    var sets: [AccountingSide: ReceiptSet] = [:]
    let signers: [SigningKey] = try [
      Samples.nearEnclave, Samples.anchorEdge, Samples.farEnclave, Samples.farEdge, Samples.newEdge,
    ].map { try Samples.key($0) }
    let silent = try without.map { try Samples.key($0).publicKey }
    for side in AccountingSide.allCases {
      var envelopes: [Envelope] = []
      for point in side.points(parties.ends) {
        let signer = parties.signer(of: point, in: epoch)
        if epoch > 0, signer != parties.signer(of: point, in: epoch - 1) { chain[point] = nil }
        let held = chain
        let terms = parties.terms(of: epoch)
        let receipt = try receipts(side, terms, points: [point]) { held[$0] ?? .zero }[0]
        chain[point] = receipt.digest
        guard let key = signers.first(where: { $0.publicKey == signer }) else { throw Samples.Missing() }
        if silent.contains(key.publicKey) { continue }
        envelopes.append(Envelope(signing: receipt, with: key, network: Samples.network))
      }
      sets[side] = ReceiptSet(envelopes)
    }
    guard let customer = sets[.customer], let networkOperator = sets[.networkOperator] else { throw Samples.Missing() }
    return (customer, networkOperator)
  }

  func assess(_ terms: ContractTerms) throws -> EpochAssessment {
    var windows = RuleWindows(terms: terms)
    return try assess(terms, &windows)
  }

  func assess(_ terms: ContractTerms, _ windows: inout RuleWindows) throws -> EpochAssessment {
    let receipts = EpochReceipts(
      epoch: epoch, ends: ends, customer: try receipts(.customer, terms),
      networkOperator: try receipts(.networkOperator, terms))
    return Metering.assess(receipts, terms: terms, windows: &windows)
  }
}
