import Messages

/// Which packets of an epoch have been seen, and when each was stamped: the window that tells first copies from
/// duplicates (epoch rule 4) and finds the longest gap at the close. One word per sequence number between the least
/// and the greatest seen.
struct SequenceWindow: Sendable {
  /// Stamps as nanoseconds since the epoch's start plus one; 0 for a packet not seen.
  private var stamps: [UInt64] = []
  private var base: UInt64 = 0
  let epochStart: Instant
  /// Sequence numbers an epoch may span.
  let limit: Int

  init(epochStart: Instant, limit: Int) {
    self.epochStart = epochStart
    self.limit = limit
  }

  enum Insertion: Equatable, Sendable {
    /// First copy; `inOrder` when no greater number came before, `follows` when the one just before it was the last.
    case first(inOrder: Bool)
    case duplicate
    /// Farther from the others than an honest sender gets in one epoch.
    case beyondLimit
  }

  var lowest: UInt64? { stamps.isEmpty ? nil : base }
  var highest: UInt64? { stamps.isEmpty ? nil : base + UInt64(stamps.count - 1) }

  mutating func insert(_ sequence: UInt64, sent: Instant) -> Insertion {
    let stamp = UInt64(max(0, (sent - epochStart).nanoseconds)) + 1
    guard let highest else {
      base = sequence
      stamps = [stamp]
      return .first(inOrder: true)
    }
    if sequence > highest {
      guard sequence - base < UInt64(limit) else { return .beyondLimit }
      stamps.append(contentsOf: repeatElement(0, count: Int(sequence - highest) - 1))
      stamps.append(stamp)
      return .first(inOrder: true)
    }
    if sequence < base {
      guard highest - sequence < UInt64(limit) else { return .beyondLimit }
      stamps.insert(contentsOf: repeatElement(0, count: Int(base - sequence)), at: 0)
      base = sequence
      stamps[0] = stamp
      return .first(inOrder: false)
    }
    let index = Int(sequence - base)
    guard stamps[index] == 0 else { return .duplicate }
    stamps[index] = stamp
    return .first(inOrder: false)
  }

  /// The longest time between the stamps of two packets seen with none but unseen ones between them, nanoseconds.
  var longestGap: UInt64 {
    var longest: UInt64 = 0
    var last: (index: Int, stamp: UInt64)?
    for (index, stamp) in stamps.enumerated() where stamp != 0 {
      if let last, index > last.index + 1 { longest = max(longest, stamp.subtractingToZero(last.stamp)) }
      last = (index, stamp)
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
