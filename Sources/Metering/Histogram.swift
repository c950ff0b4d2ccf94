import Messages

extension HistogramSpecification {
  /// The bucket of a value in nanoseconds: exact below 2^subBits units, then 2^subBits equal buckets per power of two;
  /// everything from ``highest`` on shares the last.
  public func index(of value: UInt64) -> UInt32 {
    let units = min(value, highest) / max(unit, 1)
    let linear = UInt64(1) << subBits
    guard units >= linear else { return UInt32(truncatingIfNeeded: units) }
    let exponent = UInt64(63 - units.leadingZeroBitCount)
    let position = (units >> (exponent - subBits)) - linear
    return UInt32(truncatingIfNeeded: linear * (exponent - subBits + 1) + position)
  }

  /// Least value of a bucket, nanoseconds.
  public func lowerBound(of index: UInt32) -> UInt64 {
    let linear = UInt64(1) << subBits
    let index = UInt64(index)
    guard index >= linear else { return index &* unit }
    let (row, position) = index.quotientAndRemainder(dividingBy: linear)
    let shift = row - 1
    // Indexes of other specifications can name buckets beyond 64 bits: they read as the greatest value.
    guard shift + subBits < 63 else { return .max }
    let (value, overflow) = ((linear + position) << shift).multipliedReportingOverflow(by: unit)
    return overflow ? .max : value
  }

  /// Greatest value of a bucket, nanoseconds; unbounded for the last one.
  public func upperBound(of index: UInt32) -> UInt64 {
    guard index < self.index(of: highest) else { return .max }
    return lowerBound(of: index + 1) - 1
  }
}

extension DelaySummary {
  public init(first delay: Int64, specification: HistogramSpecification) {
    self.init(minimum: delay, maximum: delay, sum: 0, histogram: SparseHistogram())
    add(delay, specification: specification)
  }

  public mutating func add(_ delay: Int64, specification: HistogramSpecification) {
    minimum = min(minimum, delay)
    maximum = max(maximum, delay)
    sum = sum.addingSaturating(delay)
    histogram.add(at: specification.index(of: UInt64(max(0, delay))))
  }

  public mutating func merge(_ other: DelaySummary) {
    minimum = min(minimum, other.minimum)
    maximum = max(maximum, other.maximum)
    sum = sum.addingSaturating(other.sum)
    histogram.merge(other.histogram)
  }

  public var count: UInt64 { histogram.total }

  /// Between which bounds the value of a rank (from 1) lies, lost packets ranking above all: nil bounds for them.
  public func bounds(ofRank rank: UInt64, specification: HistogramSpecification) -> DelayBounds {
    var passed: UInt64 = 0
    for bucket in histogram.buckets {
      passed &+= bucket.count
      guard passed >= rank else { continue }
      let lower = Int64(clamping: specification.lowerBound(of: bucket.index))
      let upper = Int64(clamping: specification.upperBound(of: bucket.index))
      return DelayBounds(
        low: bucket.index == 0 ? minimum : min(max(lower, minimum), maximum),
        high: max(min(upper, maximum), minimum))
    }
    return .infinite
  }

  /// The mean lies between these, rounded outwards.
  public var meanBounds: DelayBounds {
    let count = Int64(clamping: max(count, 1))
    let (quotient, remainder) = sum.quotientAndRemainder(dividingBy: count)
    return DelayBounds(
      low: remainder < 0 ? quotient - 1 : quotient, high: remainder > 0 ? quotient + 1 : quotient)
  }
}

extension DelaySummary? {
  mutating func add(_ delay: Int64, specification: HistogramSpecification) {
    if self == nil {
      self = DelaySummary(first: delay, specification: specification)
    } else {
      self?.add(delay, specification: specification)
    }
  }

  mutating func merge(_ other: DelaySummary?) {
    guard let other else { return }
    if self == nil { self = other } else { self?.merge(other) }
  }
}

/// An interval that holds the true value, ends included; `Int64.max` stands for +∞.
public struct DelayBounds: Hashable, Sendable {
  public var low: Int64
  public var high: Int64

  public static let infinite = DelayBounds(low: .max, high: .max)

  public init(low: Int64, high: Int64) {
    self.low = low
    self.high = high
  }

  /// Wider by an error on either side; infinity stays.
  public func widened(by error: Span) -> DelayBounds {
    DelayBounds(
      low: low == .max ? .max : low.addingSaturating(-error.nanoseconds),
      high: high == .max ? .max : high.addingSaturating(error.nanoseconds))
  }
}

extension Int64 {
  func addingSaturating(_ other: Int64) -> Int64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? (other > 0 ? .max : .min) : sum
  }
}

extension UInt64 {
  func addingSaturating(_ other: UInt64) -> UInt64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }

  func subtractingToZero(_ other: UInt64) -> UInt64 { self > other ? self - other : 0 }
}
