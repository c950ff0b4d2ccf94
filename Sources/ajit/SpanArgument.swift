import ArgumentParser
import Messages

/// A duration on the command line, written as in a topology file: `500ms`, `30s`, `5min`, `1h`.
struct SpanArgument: ExpressibleByArgument, Equatable {
  let span: Span
  /// As it was written.
  let text: String

  private static let units: [(suffix: String, nanoseconds: Int64)] = [
    ("us", 1_000), ("ms", 1_000_000), ("min", 60_000_000_000), ("s", 1_000_000_000), ("h", 3_600_000_000_000),
  ]

  init?(argument: String) {
    guard let unit = Self.units.first(where: { argument.hasSuffix($0.suffix) }),
      let count = Int64(argument.dropLast(unit.suffix.count)), count > 0
    else { return nil }
    let (nanoseconds, overflow) = count.multipliedReportingOverflow(by: unit.nanoseconds)
    guard !overflow else { return nil }
    span = Span(nanoseconds: nanoseconds)
    text = argument
  }

  var defaultValueDescription: String { Wording.seconds(span) }
}
