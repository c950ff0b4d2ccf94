import Messages
import Testing

@testable import Topology

/// Quantities are exact: whole numbers of the smallest unit, or refused.
@Suite struct QuantityTests {
  @Test(arguments: [
    ("5ms", 5_000_000), ("2s", 2_000_000_000), ("1.5s", 1_500_000_000), ("0.1us", 100), ("250ns", 250), ("3µs", 3_000),
    ("2min", 120_000_000_000), ("1h", 3_600_000_000_000), ("0s", 0), ("1e3ms", 1_000_000_000),
    ("1.500000000000000s", 1_500_000_000),
    ("9223372036854775807ns", UInt64(Int64.max)),
  ])
  func readsDurations(_ text: String, _ nanoseconds: UInt64) {
    #expect(Quantity.read(text, units: Quantity.durations) == nanoseconds)
  }

  @Test(arguments: [
    "", "5", "ms", "5 ms", "-5ms", "+5ms", "5MS", "05ms", ".5s", "5.s", "0.1ns", "1e-10s", "1e99s", "5e", "5e1", "5mss",
    "18446744073709551616ns", "99999999999h", "1_000ms", "٣ms", "5ms\n",
  ])
  func refusesWhatIsNoDuration(_ text: String) {
    #expect(Quantity.read(text, units: Quantity.durations) == nil)
  }

  @Test(arguments: [
    ("0", 0), ("1", 1_000_000_000), ("0.5", 500_000_000), ("1e-5", 10_000), ("1E-9", 1), ("0.1%", 1_000_000),
    ("100%", 1_000_000_000),
    ("10ppm", 10_000), ("3ppb", 3), ("2.5e-6", 2_500),
  ])
  func readsRatios(_ text: String, _ partsPerBillion: UInt64) {
    #expect(ScalarKind<UInt64>.ratio.read(text, true) == partsPerBillion)
  }

  @Test(arguments: ["1.1", "101%", "1e-10", "0.00000001%", "2", "-0.1", "x", "1/3"])
  func refusesWhatIsNoRatio(_ text: String) {
    #expect(ScalarKind<UInt64>.ratio.read(text, true) == nil)
  }

  /// In quotes a bare number is text; only a number with its unit is clear there.
  @Test func quotedRatiosNeedAUnit() {
    #expect(ScalarKind<UInt64>.ratio.read("0.1", false) == nil)
    #expect(ScalarKind<UInt64>.ratio.read("0.1%", false) == 1_000_000)
  }

  @Test(arguments: [("1bit/s", 1), ("64kbit/s", 64_000), ("2.5Mbit/s", 2_500_000), ("10Gbit/s", 10_000_000_000)])
  func readsRates(_ text: String, _ bitsPerSecond: UInt64) {
    #expect(ScalarKind<UInt64>.rate.read(text, true) == bitsPerSecond)
  }

  @Test(arguments: ["1Mbps", "1MBit/s", "10", "0.5bit/s", "1Tbit/s"])
  func refusesWhatIsNoRate(_ text: String) {
    #expect(ScalarKind<UInt64>.rate.read(text, true) == nil)
  }

  @Test func sharesAreWholePartsPerMillion() {
    #expect(ScalarKind<UInt64>.share.read("50%", true) == 500_000)
    #expect(ScalarKind<UInt64>.share.read("0.000001", true) == 1)
    #expect(ScalarKind<UInt64>.share.read("1ppb", true) == nil)
  }

  @Test func countsAreDecimalDigitsWithoutQuotes() {
    #expect(ScalarKind<UInt64>.count.read("18446744073709551615", true) == .max)
    for text in ["", "-1", "+1", "01", "0x10", "1.0", "1e3", "18446744073709551616", "٣"] {
      #expect(ScalarKind<UInt64>.count.read(text, true) == nil, "\(text)")
    }
    #expect(ScalarKind<UInt64>.count.read("1", false) == nil)
  }

  @Test func rangesOfCounts() {
    let kind = ScalarKind<Topology.CountRange>.countRange
    #expect(kind.read("3", true) == Topology.CountRange(least: 3, most: 3))
    #expect(kind.read("3..5", true) == Topology.CountRange(least: 3, most: 5))
    #expect(kind.read("3..", true) == Topology.CountRange(least: 3, most: .max))
    for text in ["5..3", "..3", "3...5", "a..b", "3..5..7", ""] { #expect(kind.read(text, true) == nil, "\(text)") }
  }

  /// YAML 1.2's core schema, §10.3.2: what stands there without quotes and is not text.
  @Test func plainScalarsThatAreNotText() {
    for text in [
      "", "~", "null", "true", "False", "0", "-7", "+7", "0o17", "0xFF", "1.5", ".5", "1.", "1e3", "-.inf", ".nan",
    ] {
      #expect(!PlainScalar.isText(text), "\(text)")
    }
    for text in [
      "alpha", "yes", "on", "1.2.3", "5ms", "0xZZ", "e5", "-", "+", ".", "1e", "2020-01-01", "1:30", "1_000",
    ] {
      #expect(PlainScalar.isText(text), "\(text)")
    }
  }
}
