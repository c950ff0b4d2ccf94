import Messages
import Metering
import Signing
import Testing

/// Honest points over a bad network: packets are lost on every segment, late, reordered and doubled, and an end is
/// handed over in between. Whatever happens, nobody is blamed for what the other lost, and what the core lost is always
/// found.
struct HonestReceiptTests {
  /// A direction's chances, in percent, and what became of its packets, by epoch.
  private struct Weather {
    var lostBeforeEntry: UInt64
    var lostInCore: UInt64
    var lateInCore: UInt64
    var lostAfterExit: UInt64
    var doubled: UInt64
  }

  private struct Truth {
    var sent: UInt64 = 0
    var lostOnAccess: UInt64 = 0
    var lostInCore: UInt64 = 0
  }

  private struct Arrival {
    let at: Instant
    let header: PacketHeader
    /// The edge it came over where that is not the one that serves its epoch.
    let isAstray: Bool
  }

  /// What one key counts at one point, epoch by epoch.
  private struct Counter {
    var meter: PointMeter
    var tallies: [EpochNumber: Tally] = [:]

    mutating func close(until now: Instant, _ clock: EpochClock) {
      while meter.firstOpen < clock.count, clock.close(of: meter.firstOpen) <= now {
        let epoch = meter.firstOpen
        tallies[epoch] = meter.close(epoch)
      }
    }
  }

  private static let epochs: UInt64 = 4
  private static let packetsPerEpoch: UInt64 = 50
  private static let bytes = 200
  /// Per billion.
  private static let limit: UInt64 = 100_000_000

  @Test(arguments: 1...60) func nobodyIsBlamedForTheOthersLoss(seed: UInt64) throws {
    var random = SplitMix(state: seed)
    let ends: [FlowEnd] = seed.isMultiple(of: 2) ? [.near, .far] : [.near]
    let terms = try Samples.terms(
      Direction.allCases.map { Samples.rule(.lossRatio, .value, $0, reference: Self.limit) }, gated: false)
    var parties = try Samples.parties(terms, epochs: Self.epochs, ends: ends)
    let moved = ends[Int(random.below(UInt64(ends.count)))]
    try Samples.apply(try Samples.handover(from: 1 + random.below(3), end: moved), to: &parties)

    var tallies: [MeteredPoint: [EpochNumber: Tally]] = [:]
    var truths: [Direction: [EpochNumber: Truth]] = [:]
    for direction in Direction.allCases {
      let weather = Weather(
        lostBeforeEntry: random.below(3) * 6, lostInCore: random.below(3) * 6, lateInCore: random.below(2) * 5,
        lostAfterExit: random.below(3) * 6, doubled: 20)
      truths[direction] = try run(direction, weather, parties, &tallies, &random)
    }

    var account = JointAccount(parties: parties)
    var chain: [MeteredPoint: Digest] = [:]
    for epoch in 0..<Self.epochs {
      let customer = try sign(.customer, epoch, parties, tallies, &chain)
      let networkOperator = try sign(.networkOperator, epoch, parties, tallies, &chain)
      account = try account.appending(epoch: epoch, customer: customer, networkOperator: networkOperator)
      for (direction, verdict) in zip(Direction.allCases, account.last?.verdicts ?? []) {
        let truth = try #require(truths[direction]?[epoch])
        check(verdict, truth, "seed \(seed), epoch \(epoch), \(direction): \(truth)")
      }
    }
  }

  private func check(_ verdict: Verdict?, _ truth: Truth, _ story: String) {
    func exceeds(_ lost: UInt64, of sent: UInt64) -> Bool { lost * 1_000_000_000 > sent * Self.limit }
    let isLossInCore = exceeds(truth.lostInCore, of: truth.sent - truth.lostOnAccess)
    if isLossInCore { #expect(verdict == .violated, "what the core lost is always found: \(story)") }
    if truth.lostInCore == 0 { #expect(verdict != .violated, "blamed for the customer's loss: \(story)") }
    if truth.lostOnAccess == 0 { #expect(verdict != .contested, "contested where nothing is: \(story)") }
    if !exceeds(truth.lostInCore + truth.lostOnAccess, of: truth.sent) { #expect(verdict == .met, "\(story)") }
    #expect(verdict != .inconclusive, "\(story)")
  }

  // MARK: The network

  /// Sends, carries and counts one direction's packets of all epochs.
  private func run(
    _ direction: Direction, _ weather: Weather, _ parties: AccountParties,
    _ tallies: inout [MeteredPoint: [EpochNumber: Tally]], _ random: inout SplitMix
  ) throws -> [EpochNumber: Truth] {
    let clock = try Samples.clock(parties.booking.terms, epochs: Self.epochs)
    var truths: [EpochNumber: Truth] = [:]
    var arrivals: [Arrival] = []
    let path = Self.path(direction, parties.ends)
    for epoch in 0..<Self.epochs {
      for index in 0..<Self.packetsPerEpoch {
        let header = PacketHeader(
          direction: direction, flow: 1, epoch: epoch, peer: Samples.peer,
          sequence: epoch * Self.packetsPerEpoch + index,
          sent: clock.start(of: epoch) + .milliseconds(Int64(index) * 20))
        arrivals.append(Arrival(at: header.sent, header: header, isAstray: false))
        truths[epoch, default: Truth()].sent += 1
      }
    }
    for (hop, step) in path.enumerated() {
      let point = MeteredPoint(direction, step.point)
      let passed = try count(arrivals, at: point, isSender: hop == 0, parties, clock, &tallies)
      guard hop + 1 < path.count else { break }
      let isCore = path[hop + 1].isCore
      arrivals = []
      for arrival in passed {
        let chance = random.below(100)
        let lossChance = isCore ? weather.lostInCore : (hop == 0 ? weather.lostBeforeEntry : weather.lostAfterExit)
        let isLate = isCore && chance >= lossChance && chance < lossChance + weather.lateInCore
        if chance < lossChance || isLate {
          if isCore {
            truths[arrival.header.epoch]?.lostInCore += 1
          } else {
            truths[arrival.header.epoch]?.lostOnAccess += 1
          }
        }
        if chance < lossChance { continue }
        let delay = isLate ? Span.milliseconds(150) : .milliseconds(Int64(1 + random.below(30)))
        arrivals.append(Arrival(at: arrival.at + delay, header: arrival.header, isAstray: false))
        if random.below(100) < weather.doubled {
          // The second copy comes over either edge.
          arrivals.append(
            Arrival(
              at: arrival.at + delay + .milliseconds(Int64(random.below(40))), header: arrival.header,
              isAstray: random.below(2) == 0))
        }
      }
      arrivals.sort { ($0.at, $0.header.sequence) < ($1.at, $1.header.sequence) }
    }
    return truths
  }

  private static func path(
    _ direction: Direction, _ ends: [FlowEnd]
  ) -> [(point: MeasurementPoint, isCore: Bool)] {
    if ends.contains(.far) {
      return [(.enclaveTransmit, false), (.edgeIngress, false), (.edgeEgress, true), (.enclaveReceive, false)]
    }
    return direction == .up
      ? [(.enclaveTransmit, false), (.edgeIngress, false), (.endpointReceive, true)]
      : [(.endpointTransmit, false), (.edgeEgress, true), (.enclaveReceive, false)]
  }

  /// Counts at one point, by whoever stands there in each epoch.
  /// - Returns: first copies in time, which go on.
  private func count(
    _ arrivals: [Arrival], at point: MeteredPoint, isSender: Bool, _ parties: AccountParties, _ clock: EpochClock,
    _ tallies: inout [MeteredPoint: [EpochNumber: Tally]]
  ) throws -> [Arrival] {
    var counters: [PublicKey: Counter] = [:]
    var passed: [Arrival] = []
    for epoch in 0..<Self.epochs {
      let signer = try #require(parties.signer(of: point, in: epoch))
      guard counters[signer] == nil else { continue }
      // An edge that takes over begins with its first epoch: what it is sent of earlier ones is stale.
      counters[signer] = Counter(
        meter: PointMeter(point: point, terms: parties.booking.terms, clock: clock, firstOpen: epoch))
    }
    let others = counters.keys.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    for arrival in arrivals {
      let serving = try #require(parties.signer(of: point, in: arrival.header.epoch))
      let signer = arrival.isAstray ? others.first { $0 != serving } ?? serving : serving
      counters[signer]?.close(until: arrival.at, clock)
      guard signer == serving else {
        // Counted by an edge that does not serve the epoch, and not passed on: nobody asks it about that epoch.
        _ = counters[signer]?.meter.received(arrival.header, bytes: Self.bytes, at: arrival.at)
        continue
      }
      if isSender {
        counters[signer]?.meter.sent(arrival.header, bytes: Self.bytes)
        passed.append(arrival)
      } else if counters[signer]?.meter.received(arrival.header, bytes: Self.bytes, at: arrival.at) == .counted {
        counters[signer]?.meter.passedOn(arrival.header, bytes: Self.bytes)
        passed.append(arrival)
      }
    }
    for epoch in 0..<Self.epochs {
      let signer = try #require(parties.signer(of: point, in: epoch))
      counters[signer]?.close(until: .distantFuture, clock)
      tallies[point, default: [:]][epoch] = counters[signer]?.tallies[epoch]
    }
    return passed
  }

  // MARK: Receipts

  private func sign(
    _ side: AccountingSide, _ epoch: EpochNumber, _ parties: AccountParties,
    _ tallies: [MeteredPoint: [EpochNumber: Tally]], _ chain: inout [MeteredPoint: Digest]
  ) throws -> ReceiptSet {
    let keys = try [
      Samples.nearEnclave, Samples.anchorEdge, Samples.farEnclave, Samples.farEdge, Samples.newEdge,
    ].map { try Samples.key($0) }
    return ReceiptSet(
      try side.points(parties.ends).map { point in
        let signer = try #require(parties.signer(of: point, in: epoch))
        if epoch > 0, parties.signer(of: point, in: epoch - 1) != signer { chain[point] = nil }
        let end = try #require(parties.serving(parties.end(of: point), in: epoch))
        let heading = ReceiptHeading(
          activation: Samples.activation, flow: 1, cell: end.cell,
          clock: ClockQuality(source: .ptp, synchronised: true, errorBound: .microseconds(10)), attestation: .zero)
        let tally = try #require(tallies[point]?[epoch])
        let receipt = tally.receipt(
          heading, point: point, epoch: epoch, condition: .whole, previous: chain[point] ?? .zero,
          terminal: epoch + 1 == Self.epochs || parties.signer(of: point, in: epoch + 1) != signer)
        chain[point] = receipt.digest
        return Envelope(
          signing: receipt, with: try #require(keys.first { $0.publicKey == signer }), network: Samples.network)
      })
  }
}
