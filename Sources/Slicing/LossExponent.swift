/// Loss as something that adds up along a path: −ln(1 − p) in femtonepers (10⁻¹⁵), computed with integers only.
///
/// A packet survives a path when it survives every link, so loss multiplies. Path search needs metrics that add,
/// and predictions need to be the same on every machine. Truncating each logarithm to 10⁻¹⁵ errs a million times
/// less than the smallest loss that can be named (one part per billion), so two links of 5 ppb fit a limit of
/// 10 ppb exactly as a person would expect.
public struct LossExponent: Hashable, Comparable, Sendable {
  /// −ln(1 − p) × 10¹⁵. ``unreachable`` for certain loss.
  public let femtonepers: Int64

  public static let zero = LossExponent(femtonepers: 0)
  /// A loss of one: nothing arrives. Halved, so that adding two of them does not overflow.
  public static let unreachable = LossExponent(femtonepers: Int64.max / 2)

  /// One, in parts per billion.
  public static let certain: UInt32 = 1_000_000_000
  /// ln 2 × 10¹⁵, rounded down.
  private static let logarithmOfTwo: Int64 = 693_147_180_559_945
  private static let scalePerPart: UInt64 = 1_000_000

  public init(femtonepers: Int64) { self.femtonepers = femtonepers }

  /// - Parameter loss: parts per billion; from ``certain`` on, ``unreachable``.
  public init(partsPerBillion loss: UInt32) {
    guard loss < Self.certain else {
      self = .unreachable
      return
    }
    // −ln(q) = k·ln 2 − ln(q·2ᵏ): doubling is exact, and a remainder below one half makes the series short.
    var survival = Self.certain - loss
    var halvings: Int64 = 0
    while survival < Self.certain / 2 {
      survival *= 2
      halvings += 1
    }
    let remainder = UInt64(Self.certain - survival)
    var power = remainder * Self.scalePerPart
    var sum: UInt64 = 0
    var order: UInt64 = 1
    while power > 0 {
      sum += power / order
      let product = power.multipliedFullWidth(by: remainder)
      power = UInt64(Self.certain).dividingFullWidth(product).quotient
      order += 1
    }
    femtonepers = halvings * Self.logarithmOfTwo + Int64(sum)
  }

  /// The smallest loss, parts per billion, whose exponent is not below this one: a sum that keeps a limit reports
  /// a loss that keeps it too.
  public var partsPerBillion: UInt32 {
    var low: UInt32 = 0
    var high = Self.certain
    while low < high {
      let middle = low + (high - low) / 2
      if LossExponent(partsPerBillion: middle) < self { low = middle + 1 } else { high = middle }
    }
    return low
  }

  public static func < (left: LossExponent, right: LossExponent) -> Bool { left.femtonepers < right.femtonepers }

  /// Saturates at ``unreachable``.
  public static func + (left: LossExponent, right: LossExponent) -> LossExponent {
    let (sum, overflow) = left.femtonepers.addingReportingOverflow(right.femtonepers)
    return overflow || sum > unreachable.femtonepers ? .unreachable : LossExponent(femtonepers: sum)
  }
}
