import Foundation

/// How busy the machine was from here on: the share of time in which some task was ready to run and had no core, as the
/// kernel counts it for all processes (PSI; Linux, Documentation/accounting/psi.rst).
///
/// A consortium promises milliseconds, and one that gets no core breaks promises, of which it rightly tells. So a test
/// that runs one in real time holds it to everything it promised as long as the machine lets it run, and beyond that to
/// what no clock measures.
struct ProcessorPressure {
  /// Two debug builds of a consortium on two cores come to a third of this; a machine that builds something besides, to
  /// nearly all of the time.
  static let maximumPercent = 75

  private let waitedBefore = Self.waitedMicroseconds()
  private let start = ContinuousClock.now

  /// False when the promises of milliseconds could not be kept. A kernel that does not count says nothing against it.
  var isCalm: Bool { percent.map { $0 <= Self.maximumPercent } ?? true }

  var percent: Int? {
    guard let waitedBefore, let waited = Self.waitedMicroseconds() else { return nil }
    let elapsed = max(1, start.duration(to: .now) / .microseconds(1))
    return Int(Double(waited - waitedBefore) / elapsed * 100)
  }

  private static func waitedMicroseconds() -> Int? {
    let text = (try? String(contentsOfFile: "/proc/pressure/cpu", encoding: .utf8)) ?? ""
    let some = text.split(separator: "\n").first { $0.hasPrefix("some ") }
    return some?.split(separator: " ").last.flatMap { Int($0.dropFirst("total=".count)) }
  }
}
