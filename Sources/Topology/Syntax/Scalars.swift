import Messages
import Signing

/// How one kind of scalar is written. The text says what a person may write there, for error messages.
struct ScalarKind<Value> {
  let expected: String
  /// The text, and whether it was written without quotes.
  let read: (String, Bool) -> Value?
}

extension ScalarKind where Value == String {
  static var text: ScalarKind {
    ScalarKind(expected: "text (in quotes if it looks like a number, true, false or null)") { text, isPlain in
      isPlain && !PlainScalar.isText(text) ? nil : text
    }
  }
}

extension ScalarKind where Value == UInt64 {
  /// A whole number, written without quotes.
  static var count: ScalarKind {
    ScalarKind(expected: "a whole number such as 8") { text, isPlain in
      isPlain ? PlainScalar.wholeNumber(text) : nil
    }
  }

  static var amount: ScalarKind {
    ScalarKind(expected: "an amount of money in whole minor units, such as 2500") { text, isPlain in
      isPlain ? PlainScalar.wholeNumber(text) : nil
    }
  }

  /// bit/s
  static var rate: ScalarKind {
    ScalarKind(expected: "a rate such as 500kbit/s or 10Mbit/s (bit/s, kbit/s, Mbit/s, Gbit/s; whole bit/s)") {
      text, _ in
      Quantity.read(text, units: Quantity.rates)
    }
  }

  /// Parts per billion.
  static var ratio: ScalarKind {
    ScalarKind(expected: "a ratio from 0 to 1 such as 1e-5, 0.1%, 10ppm (whole parts per billion)") { text, isPlain in
      guard let parts = Quantity.read(text, units: isPlain ? Quantity.plainRatios : Quantity.ratios) else { return nil }
      return parts <= Quantity.one ? parts : nil
    }
  }
}

extension ScalarKind where Value == Span {
  static var duration: ScalarKind {
    ScalarKind(expected: "a duration such as 5ms or 1.5s (ns, us, ms, s, min, h; whole nanoseconds)") { text, _ in
      Quantity.read(text, units: Quantity.durations).flatMap { Int64(exactly: $0) }.map { Span(nanoseconds: $0) }
    }
  }
}

extension ScalarKind where Value == Bool {
  static var boolean: ScalarKind {
    ScalarKind(expected: "true or false") { text, isPlain in
      switch text {
      case "true" where isPlain: true
      case "false" where isPlain: false
      default: nil
      }
    }
  }
}

extension ScalarKind where Value == Topology.Measurement {
  static var measurement: ScalarKind {
    ScalarKind(expected: "auto, or a SHA-256 of 64 hexadecimal digits (in quotes)") { text, isPlain in
      if text == "auto" { return .auto }
      guard !isPlain || PlainScalar.isText(text) else { return nil }
      return Digest(hexadecimal: text).map(Topology.Measurement.digest)
    }
  }
}

extension ScalarKind where Value == Topology.CountRange {
  static var countRange: ScalarKind {
    ScalarKind(expected: "a count such as 3, or a range such as 3..5 or 3..") { text, isPlain in
      if isPlain, let exact = PlainScalar.wholeNumber(text) { return Topology.CountRange(least: exact, most: exact) }
      let dots = text.split(separator: "..", maxSplits: 1, omittingEmptySubsequences: false)
      guard dots.count == 2, let least = PlainScalar.wholeNumber(String(dots[0])) else { return nil }
      if dots[1].isEmpty { return Topology.CountRange(least: least, most: .max) }
      guard let most = PlainScalar.wholeNumber(String(dots[1])), least <= most else { return nil }
      return Topology.CountRange(least: least, most: most)
    }
  }
}

extension ScalarKind where Value == Topology.ContractReference {
  static var contractReference: ScalarKind {
    ScalarKind(expected: "a contract as operator/contract, such as alpha/remote-surgery") { text, _ in
      let parts = text.split(separator: "/", omittingEmptySubsequences: false)
      guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
      return Topology.ContractReference(operatorName: String(parts[0]), contractName: String(parts[1]))
    }
  }
}

extension ScalarKind {
  /// One of a few words.
  static func choice(_ choices: [(String, Value)]) -> ScalarKind {
    ScalarKind(expected: "one of " + choices.map(\.0).joined(separator: ", ")) { text, _ in
      choices.first { $0.0 == text }?.1
    }
  }
}

/// What a scalar without quotes means in YAML 1.2's core schema (§10.3.2), as far as this format cares.
enum PlainScalar {
  /// Decimal digits without a leading zero.
  static func wholeNumber(_ text: String) -> UInt64? {
    guard text.utf8.allSatisfy(isDigit), text == "0" || text.utf8.first != UInt8(ascii: "0") else { return nil }
    return UInt64(text)
  }

  /// Neither null, nor a truth value, nor a number.
  static func isText(_ text: String) -> Bool {
    let words = ["", "~", "null", "Null", "NULL", "true", "True", "TRUE", "false", "False", "FALSE"]
    return !words.contains(text) && !isNumber(text)
  }

  private static func isNumber(_ text: String) -> Bool {
    var rest = Substring(text)
    if rest.hasPrefix("0x") { return rest.count > 2 && rest.dropFirst(2).utf8.allSatisfy(isHexadecimalDigit) }
    if rest.hasPrefix("0o") { return rest.count > 2 && rest.dropFirst(2).utf8.allSatisfy(isOctalDigit) }
    if let sign = rest.first, sign == "-" || sign == "+" { rest.removeFirst() }
    if [".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"].contains(rest) { return true }
    let whole = rest.utf8.prefix(while: isDigit).count
    rest.removeFirst(whole)
    var fraction = 0
    if rest.first == "." {
      rest.removeFirst()
      fraction = rest.utf8.prefix(while: isDigit).count
      rest.removeFirst(fraction)
    }
    guard whole + fraction > 0 else { return false }
    guard let mark = rest.first else { return true }
    guard mark == "e" || mark == "E" else { return false }
    rest.removeFirst()
    if let sign = rest.first, sign == "-" || sign == "+" { rest.removeFirst() }
    return !rest.isEmpty && rest.utf8.allSatisfy(isDigit)
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
  private static func isOctalDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(byte) }
  private static func isHexadecimalDigit(_ byte: UInt8) -> Bool {
    isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
      || (UInt8(ascii: "A")...UInt8(ascii: "F")).contains(byte)
  }
}
