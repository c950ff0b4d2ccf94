import Messages

/// Which packets of an epoch have been seen, and when each was stamped: the window that tells first copies from
/// duplicates (epoch rule 4) and finds the longest gap at the close.
///
/// A ring with room for every sequence number that an epoch may span, so that no number that is let in shares its place
/// with another and nothing ever moves, in whatever order the numbers come: a packet is looked up before the rate
/// limiter has seen it, so it must not cost more than any other. The ring's pages are made when they are first written.
struct SequenceWindow: Sendable {
  /// Stamps as nanoseconds since the epoch's start plus one; 0 for a packet not seen. A page without any is empty.
  private var pages: [[UInt64]]
  /// Least and greatest number seen; fewer than ``limit`` apart.
  private(set) var lowest: UInt64?
  private(set) var highest: UInt64?
  let epochStart: Instant
  /// Sequence numbers an epoch may span.
  let limit: Int

  /// Words in one page: what a single packet makes room for at most.
  static let pageWords = 512

  init(epochStart: Instant, limit: Int) {
    self.epochStart = epochStart
    self.limit = limit
    pages = Array(repeating: [], count: (max(limit, 1) + Self.pageWords - 1) / Self.pageWords)
  }

  enum Insertion: Equatable, Sendable {
    /// First copy; `inOrder` when no greater number came before.
    case first(inOrder: Bool)
    case duplicate
    /// Farther from the others than an honest sender gets in one epoch.
    case beyondLimit
  }

  mutating func insert(_ sequence: UInt64, sent: Instant) -> Insertion {
    let least = min(lowest ?? sequence, sequence)
    let greatest = max(highest ?? sequence, sequence)
    guard greatest - least < UInt64(limit) else { return .beyondLimit }
    let (page, index) = place(of: sequence)
    if pages[page].isEmpty { pages[page] = Array(repeating: 0, count: Self.pageWords) }
    guard pages[page][index] == 0 else { return .duplicate }
    pages[page][index] = UInt64(max(0, (sent - epochStart).nanoseconds)) + 1
    let isInOrder = highest.map { sequence > $0 } ?? true
    (lowest, highest) = (least, greatest)
    return .first(inOrder: isInOrder)
  }

  private func place(of sequence: UInt64) -> (page: Int, index: Int) {
    let word = Int(sequence % UInt64(pages.count * Self.pageWords))
    return (word / Self.pageWords, word % Self.pageWords)
  }

  /// The longest time between the stamps of two packets seen with none but unseen ones between them, nanoseconds.
  var longestGap: UInt64 {
    guard let lowest, let highest else { return 0 }
    var longest: UInt64 = 0
    var last: (offset: UInt64, stamp: UInt64)?
    var offset: UInt64 = 0
    while offset <= highest - lowest {
      let (page, index) = place(of: lowest + offset)
      guard !pages[page].isEmpty else {
        offset += UInt64(Self.pageWords - index)
        continue
      }
      let stamp = pages[page][index]
      if stamp != 0 {
        if let last, offset > last.offset + 1 { longest = max(longest, stamp.subtractingToZero(last.stamp)) }
        last = (offset, stamp)
      }
      offset += 1
    }
    return longest
  }
}

/// One bit per slot of an epoch (availability: the share of slots with traffic in which something arrived).
struct SlotMap: Sendable {
  private(set) var bytes: [UInt8] = []

  mutating func set(_ slot: UInt64) {
    let slot = Int(min(slot, UInt64(SLAReceipt.maximumSlots - 1)))
    while bytes.count <= slot / 8 { bytes.append(0) }
    bytes[slot / 8] |= 1 << UInt8(slot % 8)
  }

  static func count(_ bytes: [UInt8]) -> UInt64 { bytes.reduce(0) { $0 + UInt64($1.nonzeroBitCount) } }

  /// Slots set in both.
  static func common(_ left: [UInt8], _ right: [UInt8]) -> UInt64 {
    zip(left, right).reduce(0) { $0 + UInt64(($1.0 & $1.1).nonzeroBitCount) }
  }
}

extension MeteringTerms {
  /// 100 ms (TS 22.261), or longer where the epoch would not fit ``SLAReceipt/maximumSlots`` of them.
  public var slotLength: Span {
    max(SLAReceipt.slotLength, Span(nanoseconds: epoch.nanoseconds / Int64(SLAReceipt.maximumSlots) + 1))
  }
}
