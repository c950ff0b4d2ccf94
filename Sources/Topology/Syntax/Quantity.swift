/// A decimal number with a unit, read exactly: no floating point, no rounding. `1.5ms` is 1 500 000 ns; a text that
/// is not a whole number of the smallest unit is refused.
enum Quantity {
  struct Unit {
    let suffix: String
    /// How many of the smallest unit.
    let factor: UInt64
  }

  /// One, in parts per billion.
  static let one: UInt64 = 1_000_000_000

  /// In nanoseconds.
  static let durations = [
    Unit(suffix: "ns", factor: 1), Unit(suffix: "us", factor: 1_000), Unit(suffix: "µs", factor: 1_000),
    Unit(suffix: "ms", factor: 1_000_000), Unit(suffix: "s", factor: 1_000_000_000),
    Unit(suffix: "min", factor: 60_000_000_000), Unit(suffix: "h", factor: 3_600_000_000_000),
  ]

  /// In bit/s.
  static let rates = [
    Unit(suffix: "bit/s", factor: 1), Unit(suffix: "kbit/s", factor: 1_000), Unit(suffix: "Mbit/s", factor: 1_000_000),
    Unit(suffix: "Gbit/s", factor: 1_000_000_000),
  ]

  /// In parts per billion.
  static let ratios = [
    Unit(suffix: "%", factor: 10_000_000), Unit(suffix: "ppm", factor: 1_000), Unit(suffix: "ppb", factor: 1),
  ]

  /// Without quotes a bare number is one too.
  static let plainRatios = ratios + [Unit(suffix: "", factor: one)]

  /// - Returns: nil when the text is not `digits[.digits][e±digits]unit`, is not whole, or is above 2⁶⁴ − 1.
  static func read(_ text: String, units: [Unit]) -> UInt64? {
    var rest = Substring(text)
    guard let (mantissa, fractionDigits) = takeDecimal(&rest) else { return nil }
    let exponent = takeExponent(&rest)
    guard let unit = units.first(where: { $0.suffix == rest }) else { return nil }
    let (product, overflow) = mantissa.multipliedReportingOverflow(by: unit.factor)
    return overflow ? nil : scale(product, byPowerOfTen: exponent - fractionDigits)
  }

  private static func scale(_ value: UInt64, byPowerOfTen power: Int) -> UInt64? {
    var value = value
    guard value != 0 else { return 0 }
    for _ in 0..<abs(power) {
      if power < 0 {
        guard value.isMultiple(of: 10) else { return nil }
        value /= 10
      } else {
        let (product, overflow) = value.multipliedReportingOverflow(by: 10)
        guard !overflow else { return nil }
        value = product
      }
    }
    return value
  }

  /// Digits with at most one point between them, as one integer and the number of digits after the point.
  private static func takeDecimal(_ rest: inout Substring) -> (mantissa: UInt64, fractionDigits: Int)? {
    let whole = takeDigits(&rest)
    guard !whole.isEmpty, whole == "0" || whole.first != "0" else { return nil }
    var fraction: Substring = ""
    if rest.first == "." {
      rest.removeFirst()
      fraction = takeDigits(&rest)
      guard !fraction.isEmpty else { return nil }
      // Zeros at the end say nothing; without them 1.500000000000s does not overflow.
      while fraction.last == "0" { fraction.removeLast() }
    }
    guard let mantissa = UInt64(whole + fraction) else { return nil }
    return (mantissa, fraction.count)
  }

  /// `e-5`; 0 when there is none.
  private static func takeExponent(_ rest: inout Substring) -> Int {
    guard let mark = rest.first, mark == "e" || mark == "E" else { return 0 }
    var after = rest.dropFirst()
    var negative = false
    if let sign = after.first, sign == "-" || sign == "+" {
      negative = sign == "-"
      after.removeFirst()
    }
    let digits = takeDigits(&after)
    // Two digits reach beyond every 64-bit number.
    guard (1...2).contains(digits.count), let exponent = Int(digits) else { return 0 }
    rest = after
    return negative ? -exponent : exponent
  }

  private static func takeDigits(_ rest: inout Substring) -> Substring {
    let digits = rest.prefix { ("0"..."9").contains($0) }
    rest = rest.dropFirst(digits.count)
    return digits
  }
}
