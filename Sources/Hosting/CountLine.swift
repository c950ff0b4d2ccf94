import Messages

/// How a process without metrics of its own (one of enclaves) tells counts to its launcher: a line of its log,
/// `counted AMOUNT NAME ENCLAVE`, or `counted AMOUNT NAME` for what is the whole process's. The launcher believes no
/// more of it than that: the names are bounded text, the amount a number.
public struct CountLine: Hashable, Sendable {
  public let name: String
  public let amount: UInt64
  /// Nil for what the process counted that belongs to no enclave.
  public let enclave: String?

  public static let maximumNameBytes = 64

  public init(name: String, amount: UInt64, enclave: String? = nil) {
    self.name = name
    self.amount = amount
    self.enclave = enclave
  }

  /// - Returns: nil for any other line.
  public init?(_ line: String) {
    let words = line.split(separator: " ", omittingEmptySubsequences: false)
    guard (3...4).contains(words.count), words[0] == "counted", let amount = UInt64(words[1]), Self.isLegal(words[2])
    else { return nil }
    guard words.count == 4 else {
      self.init(name: String(words[2]), amount: amount)
      return
    }
    guard ActorAddress("enclave/\(words[3])") != nil else { return nil }
    self.init(name: String(words[2]), amount: amount, enclave: String(words[3]))
  }

  public var text: String { "counted \(amount) \(name)" + (enclave.map { " \($0)" } ?? "") }

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
