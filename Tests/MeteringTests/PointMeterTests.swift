import Messages
import Signing
import Testing

@testable import Metering

/// Epoch rules 1 to 5 at one point.
struct PointMeterTests {
  let terms: ContractTerms
  let clock: EpochClock
  var meter: PointMeter

  init() throws {
    terms = try Samples.terms([])
    clock = try Samples.clock(terms)
    meter = PointMeter(point: MeteredPoint(.up, .endpointReceive), terms: terms, clock: clock)
  }

  private func header(_ sequence: UInt64, epoch: EpochNumber = 0, after: Span) -> PacketHeader {
    PacketHeader(
      direction: .up, flow: 1, epoch: epoch, peer: Samples.peer, sequence: sequence, sent: clock.startAt + after)
  }

  private mutating func receive(
    _ sequence: UInt64, epoch: EpochNumber = 0, after: Span, delay: Span = .milliseconds(5)
  ) -> Arrival {
    let header = header(sequence, epoch: epoch, after: after)
    return meter.received(header, bytes: 100, at: header.sent + delay)
  }

  @Test func rule1SendersNeverStampBackwards() throws {
    var stamper = PacketStamper(flow: 1, direction: .up, clock: clock, nextSequence: 7)
    let headers = [.milliseconds(900), .milliseconds(1100), .milliseconds(950), .milliseconds(1200)].compactMap {
      (after: Span) in stamper.stamp(peer: Samples.peer, at: clock.startAt + after)
    }
    #expect(headers.map(\.epoch) == [0, 1, 1, 1])
    #expect(headers.map(\.sequence) == [7, 8, 9, 10])
    #expect(stamper.stamp(peer: Samples.peer, at: clock.end) == nil)
    #expect(stamper.stamp(peer: Samples.peer, at: clock.startAt - .milliseconds(1)) == nil)
  }

  @Test mutating func rule1AViolationIsDroppedAndCounted() {
    #expect(receive(1, epoch: 0, after: .milliseconds(1050)) == .misstamped, "an epoch below the one of its stamp")
    #expect(receive(5, epoch: 1, after: .milliseconds(1100)) == .counted)
    #expect(
      receive(6, epoch: 0, after: .milliseconds(990), delay: .milliseconds(99)) == .misstamped,
      "numbers grow, epochs fall")
    #expect(receive(7, epoch: 3, after: .milliseconds(1200)) == .misstamped, "an epoch that has not begun")
    #expect(receive(4, epoch: 0, after: .milliseconds(990), delay: .milliseconds(99)) == .counted)
    let first = meter.close(0)
    let second = meter.close(1)
    #expect(first.counts.misstamped + second.counts.misstamped == 3)
    #expect(first.counts.uniqueReceived == 1)
    #expect(second.counts.uniqueReceived == 1)
  }

  @Test(arguments: [(102, false), (103, true)] as [(Int64, Bool)])
  func rule2AnEpochMustExceedTwiceErrorAndSpread(milliseconds: Int64, isContract: Bool) throws {
    var terms = try Samples.terms([])
    terms.metering.delaySpread = .milliseconds(50)
    terms.metering.clockErrorBound = .milliseconds(1)
    terms.metering.epoch = .milliseconds(milliseconds)
    #expect(((try? terms.validate()) != nil) == isContract)
  }

  @Test mutating func rule3LateIsLostAndAfterTheCloseIsStale() {
    #expect(receive(1, after: .milliseconds(10), delay: .milliseconds(100)) == .counted)
    #expect(receive(2, after: .milliseconds(20), delay: .milliseconds(101)) == .late)
    let closed = meter.close(0)
    #expect(closed.counts.uniqueReceived == 1)
    #expect(closed.counts.late == 1)
    #expect(receive(3, after: .milliseconds(30)) == .stale)
    let next = meter.close(1)
    #expect(next.counts.stale == 1)
    #expect(next.counts.uniqueReceived == 0)
  }

  @Test mutating func rule4FirstCopiesCountAndDuplicatesRepairNothing() {
    for sequence: UInt64 in [3, 1, 3, 5, 1, 2] {
      _ = receive(sequence, after: .milliseconds(Int64(sequence)))
    }
    let tally = meter.close(0)
    #expect(tally.counts.uniqueReceived == 4)
    #expect(tally.counts.duplicates == 2)
    #expect(tally.counts.reordered == 2)
    #expect(tally.range?.firstSequence == 1)
    #expect(tally.range?.lastSequence == 5)
  }

  @Test mutating func rule5AnEmptyEpochHasAReceipt() throws {
    let heading = ReceiptHeading(
      activation: Samples.activation, flow: 1, cell: "cell",
      clock: ClockQuality(source: .common, synchronised: true, errorBound: .zero), attestation: .zero)
    let receipt = meter.close(0).receipt(
      heading, point: meter.point, epoch: 0, condition: .whole, previous: .zero, terminal: false)
    #expect(receipt.range == nil)
    #expect(receipt.counts == PacketCounts())
    #expect(try SLAReceipt(decoding: receipt.encoded) == receipt)
  }

  @Test mutating func numbersBeyondAnEpochCostNoMemory() {
    #expect(receive(1, after: .milliseconds(1)) == .counted)
    #expect(receive(1 << 40, after: .milliseconds(2)) == .beyondLimit)
    #expect(meter.close(0).counts.misstamped == 1)
  }

  /// The window against a plain model, on shuffled, repeated and lost packets.
  @Test(arguments: 1...20) mutating func theWindowAgreesWithAModel(seed: UInt64) {
    var random = SplitMix(state: seed)
    var seen: Set<UInt64> = []
    var highest: UInt64?
    var expected = PacketCounts()
    for step in 0..<400 {
      let base = UInt64(step)
      let sequence = 1000 + base - min(base, random.below(8))
      if random.below(4) == 0 { continue }
      _ = receive(sequence, after: .microseconds(Int64(sequence) * 100))
      if seen.insert(sequence).inserted {
        expected.uniqueReceived += 1
        expected.bytesReceived += 100
        if let top = highest, sequence < top { expected.reordered += 1 }
        highest = max(highest ?? 0, sequence)
      } else {
        expected.duplicates += 1
      }
    }
    #expect(meter.close(0).counts == expected)
  }

  /// Whatever order the numbers come in, none makes the meter move what it holds: the whole span backwards takes no
  /// longer than forwards.
  @Test mutating func numbersThatFallCostNoMoreThanNumbersThatGrow() throws {
    var window = SequenceWindow(epochStart: clock.startAt, limit: 1 << 20)
    let top = UInt64.max
    let elapsed = ContinuousClock().measure {
      for back in 0..<UInt64(1 << 14) { _ = window.insert(top - 64 * back, sent: clock.startAt) }
    }
    #expect(elapsed < .seconds(5), "moving the window would copy 64 GiB")
    let bounds = (window.lowest, window.highest)
    #expect(bounds == (top - 64 * ((1 << 14) - 1), top))
    #expect(window.insert(top - 64, sent: clock.startAt) == .duplicate)
    #expect(window.insert(top - 1 << 20, sent: clock.startAt) == .beyondLimit)
    #expect(window.insert(top - 9, sent: clock.startAt) == .first(inOrder: false))
  }

  /// Against a plain list, with spans that wrap round the ring and leave whole pages of it empty.
  @Test(arguments: 1...20) func theRingAgreesWithAList(seed: UInt64) {
    var random = SplitMix(state: seed)
    let limit = 5_000
    let start = random.next() >> random.below(3)
    var window = SequenceWindow(epochStart: clock.startAt, limit: limit)
    var seen: [UInt64: Span] = [:]
    for _ in 0..<40 {
      let sequence = start &- random.below(3_000) &* random.below(3)
      let least = min(seen.keys.min() ?? sequence, sequence)
      let greatest = max(seen.keys.max() ?? sequence, sequence)
      let after = Span.microseconds(Int64(random.below(1_000_000)))
      let expected: SequenceWindow.Insertion =
        if greatest - least >= UInt64(limit) { .beyondLimit } else if seen[sequence] != nil { .duplicate } else {
          .first(inOrder: seen.keys.allSatisfy { $0 < sequence })
        }
      #expect(window.insert(sequence, sent: clock.startAt + after) == expected)
      if case .first = expected { seen[sequence] = after }
    }
    let rows = seen.sorted { $0.key < $1.key }
    let gaps = zip(rows, rows.dropFirst()).compactMap { left, right in
      right.key - left.key > 1 ? (right.value - left.value).nanoseconds : nil
    }
    #expect(window.longestGap == UInt64(max(0, gaps.max() ?? 0)))
  }

  @Test mutating func theLongestGapIsBetweenDeliveriesWithOnlyLossesBetween() {
    for sequence: UInt64 in [0, 1, 4, 9, 6, 10] {
      _ = receive(sequence, after: .milliseconds(Int64(sequence) * 10))
    }
    let heading = ReceiptHeading(
      activation: Samples.activation, flow: 1, cell: "cell",
      clock: ClockQuality(source: .common, synchronised: true, errorBound: .zero), attestation: .zero)
    let receipt = meter.close(0).receipt(
      heading, point: meter.point, epoch: 0, condition: .whole, previous: .zero, terminal: false)
    #expect(receipt.longestGap == 30_000_000)
  }
}

/// A small generator for tests.
struct SplitMix {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  mutating func below(_ limit: UInt64) -> UInt64 { next() % limit }
}
