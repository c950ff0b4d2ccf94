import Messages
import Metering

/// When an enclave probes: a few times per epoch, early enough that every echo is back before the epoch closes, so
/// that an epoch without data can still be judged.
struct ProbeSchedule: Sendable {
  private var epoch: EpochNumber = 0
  private var index: UInt64 = 0
  /// Probes that have no echo yet, by sequence number.
  private var outstanding: [UInt64: (epoch: EpochNumber, sent: Instant)] = [:]

  static let outstandingAtMost = 64

  /// When the next probe is due; nil after the last epoch.
  func next(_ clock: EpochClock, metering: MeteringTerms) -> Instant? {
    guard epoch < clock.count else { return nil }
    let usable = max(metering.epoch - metering.maximumTransit, metering.epoch / 2)
    let spacing = usable / Int64(ContractTerms.probesPerEpoch + 1)
    return clock.start(of: epoch) + spacing * Int64(index + 1)
  }

  /// Goes on to the first probe that is due after `now`.
  mutating func skip(past now: Instant, _ clock: EpochClock, metering: MeteringTerms) {
    if let running = clock.epoch(at: now), running > epoch { (epoch, index) = (running, 0) }
    while let due = next(clock, metering: metering), due <= now {
      index += 1
      if index == ContractTerms.probesPerEpoch { (epoch, index) = (epoch + 1, 0) }
    }
  }

  mutating func sent(_ header: PacketHeader) {
    if outstanding.count >= Self.outstandingAtMost, let oldest = outstanding.keys.min() { outstanding[oldest] = nil }
    outstanding[header.sequence] = (header.epoch, header.sent)
  }

  /// - Returns: the epoch of the probe that the echo answers and the round trip; nil for an echo nobody waits for.
  ///
  /// What the other end says it held the probe is taken off only as far as the contract lets a clock be off: it is that
  /// end's word, and would otherwise make any round trip short.
  mutating func echoed(_ echo: EchoPayload, at now: Instant, metering: MeteringTerms) -> (EpochNumber, Span)? {
    guard let probe = outstanding[echo.sequence], probe.sent == echo.sent else { return nil }
    outstanding[echo.sequence] = nil
    return (probe.epoch, now - probe.sent - min(echo.held, metering.clockErrorBound))
  }
}
