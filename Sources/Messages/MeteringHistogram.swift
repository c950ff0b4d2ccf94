import Signing
import Wire

/// A log-linear histogram (``HistogramSpecification``) as its occupied buckets, ascending. The delays of one path fall
/// into a few dozen buckets, so the sparse form is both what travels and what is counted in.
public struct SparseHistogram: Hashable, Sendable, WireCodable {
  public struct Bucket: Hashable, Sendable {
    public let index: UInt32
    public var count: UInt64

    public init(index: UInt32, count: UInt64) {
      self.index = index
      self.count = count
    }
  }

  public private(set) var buckets: [Bucket] = []

  /// More than the finest specification has between a nanosecond and an hour.
  public static let maximumBuckets = 1 << 14

  public init() {}

  public var total: UInt64 { buckets.reduce(0) { $0 &+ $1.count } }
  public var isEmpty: Bool { buckets.isEmpty }

  public mutating func add(_ count: UInt64 = 1, at index: UInt32) {
    let position = firstPosition(from: index)
    if position < buckets.count, buckets[position].index == index {
      buckets[position].count &+= count
    } else {
      buckets.insert(Bucket(index: index, count: count), at: position)
    }
  }

  /// Histograms of one specification merge by adding.
  public mutating func merge(_ other: SparseHistogram) {
    for bucket in other.buckets { add(bucket.count, at: bucket.index) }
  }

  /// The position of the first bucket at or above `index`.
  private func firstPosition(from index: UInt32) -> Int {
    var low = 0
    var high = buckets.count
    while low < high {
      let middle = (low + high) / 2
      if buckets[middle].index < index { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// `[index, count, index, count, …]`
  public func encode(to writer: inout CBORWriter) {
    writer.array(buckets.count * 2)
    for bucket in buckets {
      writer.write(UInt64(bucket.index))
      writer.write(bucket.count)
    }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    buckets = try reader.array(maximum: Self.maximumBuckets * 2) { (reader, count) throws(WireError) in
      guard count.isMultiple(of: 2) else { throw .invalidValue(field: "histogram") }
      var buckets: [Bucket] = []
      var total: UInt64 = 0
      for _ in 0..<count / 2 {
        let bucket = Bucket(index: try reader.uint(UInt32.self, field: "bucket"), count: try reader.uint())
        let (sum, overflow) = total.addingReportingOverflow(bucket.count)
        guard bucket.count > 0, !overflow, buckets.last.map({ $0.index < bucket.index }) ?? true else {
          throw .invalidValue(field: "histogram")
        }
        total = sum
        buckets.append(bucket)
      }
      return buckets
    }
  }
}

/// Delays of the packets that arrived: exact least, greatest and sum, and the histogram. Nanoseconds, negative where
/// two clocks disagree by more than the path takes; negative delays share the first bucket.
public struct DelaySummary: Hashable, Sendable, WireCodable {
  public var minimum: Int64
  public var maximum: Int64
  public var sum: Int64
  public var histogram: SparseHistogram

  public init(minimum: Int64, maximum: Int64, sum: Int64, histogram: SparseHistogram) {
    self.minimum = minimum
    self.maximum = maximum
    self.sum = sum
    self.histogram = histogram
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(4)
    writer.write(minimum)
    writer.write(maximum)
    writer.write(sum)
    writer.write(histogram)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(4) { (reader) throws(WireError) in
      let summary = DelaySummary(
        minimum: try reader.int(), maximum: try reader.int(), sum: try reader.int(), histogram: try reader.value())
      guard summary.minimum <= summary.maximum, !summary.histogram.isEmpty else {
        throw .invalidValue(field: "delay summary")
      }
      return summary
    }
  }
}
