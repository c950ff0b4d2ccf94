import ArgumentParser
import Messages

/// What a person says about a host's clock: `common`, `free`, or what disciplines it and how far it may be off, as in
/// `ntp:5ms`. Receipts carry it, and verdicts about one-way delay are as sure as it is.
struct ClockArgument: ExpressibleByArgument, Equatable {
  static let forms = "common (one machine), ntp:5ms, ptp:100us, gnss:1us, free"

  let quality: ClockQuality

  private static let sources: [(name: Substring, source: ClockQuality.Source)] = [
    ("ntp", .ntp), ("ptp", .ptp), ("gnss", .gnss),
  ]

  init?(argument: String) {
    switch argument {
    case "common": quality = ClockQuality(source: .common, synchronised: true, errorBound: .zero)
    case "free": quality = ClockQuality(source: .freeRunning, synchronised: false, errorBound: .seconds(1))
    default:
      let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
      guard parts.count == 2, let source = Self.sources.first(where: { $0.name == parts[0] })?.source,
        let bound = SpanArgument(argument: String(parts[1]))
      else { return nil }
      quality = ClockQuality(source: source, synchronised: true, errorBound: bound.span)
    }
  }
}
