import Messages

/// A token bucket over bytes (RFC 2697's single rate without colours): what an epoch's sender may send. Integer time,
/// so both ends come to the same result on the same packets.
public struct RateLimiter: Sendable {
  /// bit/s
  public let rate: UInt64
  /// How far a sender may run ahead of the rate.
  public let burst: Span
  /// When the packets admitted so far would have left at the exact rate.
  private var committed: Instant = .zero

  public init(rate: UInt64, burst: Span) {
    self.rate = rate
    self.burst = burst
  }

  /// Whether a packet may pass now; one that may is counted against the rate.
  public mutating func admits(bytes: Int, at now: Instant) -> Bool {
    guard rate > 0 else { return false }
    let (nanoseconds, overflow) = (UInt64(bytes) * 8).multipliedReportingOverflow(by: 1_000_000_000)
    guard !overflow else { return false }
    let next = max(committed, now) + Span(nanoseconds: Int64(clamping: nanoseconds / rate))
    guard next - now <= burst else { return false }
    committed = next
    return true
  }
}

extension ContractTerms {
  /// How far a sender may run ahead of its maximum rate: a stalled host catches up within it.
  public static let senderBurst: Span = .milliseconds(100)
  /// Packets of largest size that may always follow one another, whatever the rate.
  public static let burstPackets: UInt64 = 16

  /// Probes an enclave sends per epoch: few, but an epoch without data can be judged by them.
  public static let probesPerEpoch: UInt64 = 4

  /// What the sender enforces on itself before it stamps. The edge allows T_max more (``edgeLimiter(_:)``), so packets
  /// bunched on their way are no violation and honest ends never disagree about policy.
  public func senderLimiter(_ direction: Direction) -> RateLimiter {
    let rate = policedRate(direction)
    return RateLimiter(rate: rate, burst: max(Self.senderBurst, smallestBurst(rate)))
  }

  public func edgeLimiter(_ direction: Direction) -> RateLimiter {
    let sender = senderLimiter(direction)
    return RateLimiter(rate: sender.rate, burst: sender.burst * 2 + metering.maximumTransit)
  }

  /// More bytes than this in one epoch and the sender itself says that it went over the maximum rate.
  public func bytesPerEpochAtMost(_ direction: Direction) -> UInt64 {
    let limiter = senderLimiter(direction)
    let milliseconds = UInt64(max(0, (metering.epoch + limiter.burst).nanoseconds / 1_000_000)) + 1
    let (bits, overflow) = (limiter.rate / 1_000 + 1).multipliedReportingOverflow(by: milliseconds)
    return overflow ? .max : bits / 8
  }

  /// What the probes that nobody ordered take, bit/s.
  public var probeRate: UInt64 {
    let bits = Self.probesPerEpoch * UInt64(PacketHeader.overheadBytes + EchoPayload.byteCount) * 8
    return bits * 1_000_000_000 / UInt64(max(1, metering.epoch.nanoseconds)) + 1
  }

  private func policedRate(_ direction: Direction) -> UInt64 {
    (direction == .up ? service.maximumUp : service.maximumDown).addingSaturating(probeRate)
  }

  private func smallestBurst(_ rate: UInt64) -> Span {
    let bits = Self.burstPackets * service.maximumPacketBytes * 8
    return Span(nanoseconds: Int64(clamping: bits * 1_000_000_000 / max(rate, 1)))
  }
}
