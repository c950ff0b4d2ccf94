import Messages

/// The one source of chance in a simulated world: SplitMix64 (Steele, Lea and Flood, 2014). The same numbers from the
/// same seed on every machine and in every build. Integers only: a float's rounding would be a second seed.
public struct VirtualRandom: Sendable {
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// A number in `0..<bound` (Lemire's multiplication, without its rejection: the bias is below bound ÷ 2⁶⁴); 0 when
  /// the bound is 0.
  public mutating func below(_ bound: UInt64) -> UInt64 { next().multipliedFullWidth(by: bound).high }

  /// True so many times in a million. Draws nothing when it is certain, so that a calm world draws little.
  public mutating func happens(perMillion chance: UInt32) -> Bool {
    chance > 0 && below(1_000_000) < UInt64(chance)
  }

  /// True so many times in a billion.
  public mutating func happens(perBillion chance: UInt32) -> Bool {
    chance > 0 && below(1_000_000_000) < UInt64(chance)
  }

  /// `base` and something in `0..<jitter` on top.
  mutating func delay(_ delay: NetworkConditions.Delay) -> Span {
    guard delay.jitter > .zero else { return delay.base }
    return delay.base + Span(nanoseconds: Int64(below(UInt64(delay.jitter.nanoseconds))))
  }
}
