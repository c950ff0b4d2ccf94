import Messages
import Topology

extension JointRecord {
  /// Of all segments.
  var epochCounters: EpochCounters {
    segments.reduce(into: EpochCounters()) { sum, segment in
      for counter in [\EpochCounters.met, \.violated, \.inconclusive, \.contested, \.notServed] {
        let (more, overflow) = sum[keyPath: counter].addingReportingOverflow(segment.epochCounters[keyPath: counter])
        sum[keyPath: counter] = overflow ? .max : more
      }
    }
  }
}

/// How things are said to people, in one place.
enum Wording {
  /// An error's name in words: `invalidValue(field: "salt")` becomes `invalid value (field: "salt")`. For errors of the
  /// cores, which are names because nothing but a test reads them.
  static func fault(_ error: some Error) -> String {
    var words = ""
    var isQuoted = false
    for character in "\(error)" {
      if character == "\"" { isQuoted.toggle() }
      if !isQuoted, character.isUppercase, words.last?.isLowercase == true {
        words += " \(character.lowercased())"
      } else if !isQuoted, character == "(", words.last?.isLetter == true {
        words += " ("
      } else {
        words.append(character)
      }
    }
    return words
  }

  static func verdict(_ verdict: Verdict) -> String { "\(verdict)".uppercased() }

  static func style(_ verdict: Verdict) -> Terminal.Style {
    switch verdict {
    case .met: .green
    case .inconclusive, .contested: .yellow
    case .violated: .red
    }
  }

  static func style(_ state: ActivationState) -> Terminal.Style {
    switch state {
    case .settled: .green
    case .nullified: .yellow
    case .requested, .reserved, .activated, .closing: .cyan
    }
  }

  /// `SETTLED (agreed), DURATION_EXPIRED`
  static func state(_ change: ActivationChange) -> String {
    let kind = change.settlement.map { " (\($0.name.lowercased()))" } ?? ""
    return change.state.name + kind + (change.statusInfo.map { ", \($0.name)" } ?? "")
  }

  static func money(_ money: ActivationMoney) -> String {
    "of escrow \(money.escrow) paid \(money.paid), refunded \(money.refunded); penalty \(money.penalty)"
      + " of bond \(money.bond)"
  }

  /// `6 MET, 2 INCONCLUSIVE`
  static func epochs(_ epochs: EpochCounters) -> String {
    let parts = [
      (epochs.met, "MET"), (epochs.violated, "VIOLATED"), (epochs.inconclusive, "INCONCLUSIVE"),
      (epochs.contested, "CONTESTED"), (epochs.notServed, "NOT_SERVED"),
    ].filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
    return parts.isEmpty ? "none" : parts.joined(separator: ", ")
  }

  static func counterOffer(_ offer: RecommendedRequirements?) -> String {
    guard let offer else { return "no counter-offer" }
    return "counter-offer: up \(rate(offer.throughputUp)), down \(rate(offer.throughputDown)),"
      + " delay ≤ \(milliseconds(offer.maximumDelay))"
  }

  /// As `Topology` and the SLA say it: `CAPACITY`.
  static func reason(_ reason: RejectionReason) -> String { screamingSnake("\(reason)") }

  static func rate(_ bitsPerSecond: UInt64) -> String {
    switch bitsPerSecond {
    case 1_000_000_000...: "\(tenths(bitsPerSecond, per: 1_000_000_000)) Gbit/s"
    case 1_000_000...: "\(tenths(bitsPerSecond, per: 1_000_000)) Mbit/s"
    case 1_000...: "\(tenths(bitsPerSecond, per: 1_000)) kbit/s"
    default: "\(bitsPerSecond) bit/s"
    }
  }

  static func milliseconds(_ span: Span) -> String { "\(tenths(UInt64(max(0, span.nanoseconds)), per: 1_000_000)) ms" }

  /// `12.3 s`
  static func seconds(_ span: Span) -> String { "\(tenths(UInt64(max(0, span.nanoseconds)), per: 1_000_000_000)) s" }

  /// `3.214`: seconds and milliseconds, for columns.
  static func clock(_ span: Span) -> String {
    let milliseconds = max(0, span.nanoseconds) / 1_000_000
    let fraction = "\(milliseconds % 1000)"
    return "\(milliseconds / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
  }

  static func counted(_ count: some BinaryInteger, _ noun: String) -> String {
    "\(count) \(noun)\(count == 1 ? "" : "s")"
  }

  /// One decimal, rounded down; none when it would be 0.
  private static func tenths(_ value: UInt64, per unit: UInt64) -> String {
    let tenths = value / (unit / 10)
    return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
  }

  /// `networkFunctionMissing` → `NETWORK_FUNCTION_MISSING`
  static func screamingSnake(_ camelCase: String) -> String {
    var text = ""
    for character in camelCase {
      if character.isUppercase { text += "_" }
      text += character.uppercased()
    }
    return text
  }
}
