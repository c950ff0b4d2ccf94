import Messages

/// How things are said to people, in one place.
enum Wording {
  static func verdict(_ verdict: Verdict) -> String { "\(verdict)".uppercased() }

  static func state(_ change: ActivationChange) -> String {
    let kind = change.settlement.map { " (\($0.name.lowercased()))" } ?? ""
    return change.state.name + kind + (change.statusInfo.map { ", \($0.name)" } ?? "")
  }

  static func money(_ money: ActivationMoney) -> String {
    "escrow \(money.escrow) = paid \(money.paid) + refunded \(money.refunded); penalty \(money.penalty) of bond \(money.bond)"
  }

  static func counterOffer(_ offer: RecommendedRequirements?) -> String {
    guard let offer else { return "nothing else would be possible" }
    return "possible: up \(rate(offer.throughputUp)), down \(rate(offer.throughputDown)), delay ≤ \(milliseconds(offer.maximumDelay))"
  }

  static func rate(_ bitsPerSecond: UInt64) -> String {
    switch bitsPerSecond {
    case 1_000_000...: "\(tenths(bitsPerSecond, per: 1_000_000)) Mbit/s"
    case 1_000...: "\(tenths(bitsPerSecond, per: 1_000)) kbit/s"
    default: "\(bitsPerSecond) bit/s"
    }
  }

  static func milliseconds(_ span: Span) -> String { "\(tenths(UInt64(max(0, span.nanoseconds)), per: 1_000_000)) ms" }

  /// `12.3 s`
  static func seconds(_ span: Span) -> String { "\(tenths(UInt64(max(0, span.nanoseconds)), per: 1_000_000_000)) s" }

  /// One decimal, rounded down.
  private static func tenths(_ value: UInt64, per unit: UInt64) -> String {
    let tenths = value / (unit / 10)
    return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
  }

  /// Milliseconds since `start` as `mm:ss.mmm`-less plain seconds: ` 3.214`.
  static func clock(_ now: Instant, since start: Instant) -> String {
    let milliseconds = max(0, (now - start).nanoseconds) / 1_000_000
    let fraction = "\(milliseconds % 1000)"
    return "\(milliseconds / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
  }
}
