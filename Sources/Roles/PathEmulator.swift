import Messages

/// What a path does to packets, one way.
public struct PathCondition: Hashable, Sendable {
  /// One-way delay of an empty path, …
  public var delay: Span
  /// … plus a uniform 0…jitter.
  public var jitter: Span
  /// Parts per billion.
  public var loss: UInt64
  /// bit/s; 0 means without limit.
  public var rate: UInt64

  public init(delay: Span, jitter: Span, loss: UInt64, rate: UInt64) {
    self.delay = delay
    self.jitter = jitter
    self.loss = loss
    self.rate = rate
  }

  /// The path as planned, made worse.
  func impaired(by impairment: PathImpairment?, _ direction: Direction) -> PathCondition {
    guard let impairment, impairment.direction == nil || impairment.direction == direction else { return self }
    return PathCondition(
      delay: delay + impairment.delay, jitter: jitter + impairment.jitter, loss: loss + UInt64(impairment.loss),
      rate: impairment.rate ?? rate)
  }
}

/// How much worse the real path behind an edge is than the slice's plan says: an under-provisioned network.
public struct PathImpairment: Hashable, Sendable {
  /// Added to the plan's loss, parts per billion.
  public var loss: UInt32
  public var delay: Span
  public var jitter: Span
  /// All that the path carries of one flow, bit/s, whatever was planned; nil leaves the plan's rate.
  public var rate: UInt64?
  /// Where it applies; both when nil.
  public var direction: Direction?

  public init(
    loss: UInt32 = 0, delay: Span = .zero, jitter: Span = .zero, rate: UInt64? = nil, direction: Direction? = nil
  ) {
    self.loss = loss
    self.delay = delay
    self.jitter = jitter
    self.rate = rate
    self.direction = direction
  }
}

/// The slice of one flow and direction, emulated in the edge's forwarding: a queue served at the rate, then the delay.
/// Packets keep their order. Seeded: the same packets at the same times always meet the same fate.
struct PathEmulator: Sendable {
  private var condition: PathCondition
  private var noise: PathNoise
  /// When the queue is empty.
  private var busyUntil: Instant = .zero
  private var lastRelease: Instant = .zero

  /// Packets that would wait longer than this are dropped.
  static let longestQueue: Span = .milliseconds(200)
  static let lossUnit: UInt64 = 1_000_000_000

  init(_ condition: PathCondition, seed: UInt64) {
    self.condition = condition
    noise = PathNoise(seed: seed)
  }

  /// The slice was stitched anew for an amendment: it carries at least so much, bit/s.
  mutating func widen(to rate: UInt64) {
    if condition.rate > 0 { condition.rate = max(condition.rate, rate) }
  }

  /// - Returns: when the packet comes out; nil when it is lost.
  mutating func carry(bytes: Int, at now: Instant) -> Instant? {
    let isLost = noise.next() % Self.lossUnit < condition.loss
    let jitter = condition.jitter > .zero ? Int64(noise.next() % UInt64(condition.jitter.nanoseconds + 1)) : 0
    guard !isLost else { return nil }
    if condition.rate > 0 {
      let sending = UInt64(bytes) * 8 * 1_000_000_000 / condition.rate
      let done = max(busyUntil, now) + Span(nanoseconds: Int64(clamping: sending))
      guard done - now <= Self.longestQueue else { return nil }
      busyUntil = done
    } else {
      busyUntil = now
    }
    lastRelease = max(lastRelease, busyUntil + condition.delay + Span(nanoseconds: jitter))
    return lastRelease
  }
}

/// SplitMix64 (Steele, Lea, Flood 2014): a full-period generator whose state is one word.
struct PathNoise: Sendable {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
