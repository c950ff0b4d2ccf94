import Messages
import Metering
import Signing
import Testing

struct HistogramTests {
  @Test(arguments: [
    HistogramSpecification.standard, HistogramSpecification(unit: 1, subBits: 1, highest: 1 << 50),
    HistogramSpecification(unit: 250, subBits: 8, highest: 1_000_000_000),
  ])
  func everyValueLiesInItsBucket(specification: HistogramSpecification) {
    var random = SplitMix(state: 1)
    for _ in 0..<20_000 {
      let value = random.next() >> (random.below(60) + 3)
      let index = specification.index(of: value)
      #expect(specification.lowerBound(of: index) <= value)
      #expect(value <= specification.upperBound(of: index))
      if value < specification.highest, specification.upperBound(of: index) != .max {
        let width = specification.upperBound(of: index) - specification.lowerBound(of: index) + 1
        let allowed = max(specification.unit, specification.lowerBound(of: index) >> specification.subBits)
        #expect(width <= allowed, "the relative error is at most 2^−subBits")
      }
    }
  }

  @Test func bucketsFollowOneAnother() {
    let specification = HistogramSpecification.standard
    for index in 0..<specification.index(of: specification.highest) {
      #expect(specification.upperBound(of: index) + 1 == specification.lowerBound(of: index + 1))
      #expect(specification.index(of: specification.lowerBound(of: index)) == index)
    }
  }

  /// Merged parts give the same bounds as the whole, and the bounds hold the exact quantile.
  @Test(arguments: 1...20) func boundsHoldTheExactRankHoweverThePartsWereMerged(seed: UInt64) throws {
    var random = SplitMix(state: seed)
    let specification = HistogramSpecification.standard
    let values = (0..<500).map { _ in Int64(random.below(1 << (10 + random.below(24)))) }
    var whole = DelaySummary(first: values[0], specification: specification)
    for value in values.dropFirst() { whole.add(value, specification: specification) }
    var left = DelaySummary(first: values[0], specification: specification)
    var right = DelaySummary(first: values[250], specification: specification)
    for value in values[1..<250] { left.add(value, specification: specification) }
    for value in values[251...] { right.add(value, specification: specification) }
    left.merge(right)
    #expect(left == whole)
    let sorted = values.sorted()
    for rank in [1, 2, 250, 475, 495, 499, 500] {
      let bounds = whole.bounds(ofRank: UInt64(rank), specification: specification)
      #expect(bounds.low <= sorted[rank - 1])
      #expect(sorted[rank - 1] <= bounds.high)
    }
    #expect(whole.bounds(ofRank: 501, specification: specification) == .infinite, "lost packets rank above all")
    #expect(try DelaySummary(decoding: whole.encoded) == whole)
  }

  @Test func negativeDelaysAreKept() {
    var summary = DelaySummary(first: -500, specification: .standard)
    summary.add(1_500, specification: .standard)
    #expect(summary.bounds(ofRank: 1, specification: .standard).low == -500)
    #expect(summary.meanBounds == DelayBounds(low: 500, high: 500))
  }

  @Test func aHistogramOutOfOrderIsRefused() {
    for bytes: [UInt8] in [[0x84, 5, 1, 4, 1], [0x84, 5, 1, 5, 1], [0x82, 5, 0], [0x83, 1, 1, 2]] {
      #expect(throws: (any Error).self) { try SparseHistogram(decoding: bytes) }
    }
  }
}
