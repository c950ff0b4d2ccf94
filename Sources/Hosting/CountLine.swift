/// How a process without metrics of its own (an enclave) tells counts to its launcher: a line of its log,
/// `counted AMOUNT NAME`. The launcher believes no more of it than that: the name is bounded text, the amount a number.
public struct CountLine: Hashable, Sendable {
  public let name: String
  public let amount: UInt64

  public static let maximumNameBytes = 64

  public init(name: String, amount: UInt64) {
    self.name = name
    self.amount = amount
  }

  /// - Returns: nil for any other line.
  public init?(_ line: String) {
    let words = line.split(separator: " ", omittingEmptySubsequences: false)
    guard words.count == 3, words[0] == "counted", let amount = UInt64(words[1]), Self.isLegal(words[2]) else {
      return nil
    }
    self.init(name: String(words[2]), amount: amount)
  }

  public var text: String { "counted \(amount) \(name)" }

  private static func isLegal(_ name: Substring) -> Bool {
    !name.isEmpty && name.utf8.count <= maximumNameBytes
      && name.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."):
          true
        default: false
        }
      }
  }
}

/// Counts by name since they were last taken: bounded, because names may come from what others send.
public struct CountSums: Sendable {
  /// Names beyond this many are summed under `counts.others`.
  public static let maximumNames = 256
  private var sums: [String: UInt64] = [:]

  public init() {}

  public mutating func add(_ name: String, _ amount: UInt64) {
    let name = sums[name] != nil || sums.count < Self.maximumNames ? name : "counts.others"
    let (sum, overflow) = (sums[name] ?? 0).addingReportingOverflow(amount)
    sums[name] = overflow ? .max : sum
  }

  /// Sorted by name.
  public mutating func take() -> [(name: String, amount: UInt64)] {
    defer { sums = [:] }
    return sums.keys.sorted().map { ($0, sums[$0] ?? 0) }
  }
}
