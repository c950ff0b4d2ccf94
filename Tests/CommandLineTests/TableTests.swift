import Testing

@testable import ajit

struct TableTests {
  private static let plain = Terminal(environment: [:], isTerminal: false)
  private static let colourful = Terminal(environment: ["TERM": "xterm"], isTerminal: true)

  private func table() -> Table {
    var table = Table([.init("activation"), .init("state"), .init("paid", .right)])
    table.add(["operation", Table.Cell("SETTLED", .green), "8500"])
    table.add(["a-rather-long-name-for-an-activation", "NULLIFIED", "0"])
    return table
  }

  @Test func `columns are as wide as they need to be`() {
    #expect(
      table().lines(width: .max, Self.plain) == [
        "activation                            state      paid",
        "────────────────────────────────────  ─────────  ────",
        "operation                             SETTLED    8500",
        "a-rather-long-name-for-an-activation  NULLIFIED     0",
      ])
  }

  @Test(arguments: [30, 40, 50]) func `a narrow terminal cuts the widest words and no number`(width: Int) {
    let lines = table().lines(width: width, Self.plain)
    #expect(lines.allSatisfy { $0.count <= width })
    #expect(lines[2].hasSuffix("8500"))
    #expect(lines[3].contains("…"))
  }

  @Test func `numbers stay whole when there is no room at all`() {
    #expect(table().lines(width: 5, Self.plain)[2].hasSuffix("8500"))
  }

  @Test func `colour takes no room`() {
    let plain = table().lines(width: 60, Self.plain)
    let colourful = table().lines(width: 60, Self.colourful)
    #expect(colourful[2].contains("\u{1B}[32mSETTLED\u{1B}[0m"))
    #expect(colourful.map(VisibleText.length) == plain.map(\.count))
  }

  @Test func `trailing blanks are left out`() {
    var table = Table([.init("rule"), .init("MET", .right), .init("")])
    table.add(["delay-up", "8", ""])
    #expect(table.lines(width: .max, Self.plain).last == "delay-up    8")
  }
}

struct TerminalTests {
  @Test(arguments: [
    (["TERM": "xterm"], true, true, true),
    (["TERM": "xterm", "NO_COLOR": "1"], true, true, false),
    (["TERM": "xterm", "NO_COLOR": ""], true, true, true),
    (["TERM": "dumb"], true, false, false),
    ([:], true, false, false),
    (["TERM": "xterm"], false, false, false),
  ]) func `colour and cursor only where they are wanted`(
    environment: [String: String], isTerminal: Bool, isInteractive: Bool, hasColour: Bool
  ) {
    let terminal = Terminal(environment: environment, isTerminal: isTerminal)
    #expect(terminal.isInteractive == isInteractive)
    #expect(terminal.hasColour == hasColour)
    #expect(terminal.styled("met", .green) == (hasColour ? "\u{1B}[32mmet\u{1B}[0m" : "met"))
  }

  @Test func `a live region goes back over exactly what it drew`() {
    var region = LiveRegion()
    let first = region.frame(["one", "two"], width: 80)
    #expect(!first.contains("A"))
    #expect(region.frame(["three"], above: ["told"], width: 80).contains("\u{1B}[2A\rtold\u{1B}[K\nthree"))
    #expect(region.frame([], width: 80).contains("\u{1B}[1A"))
  }

  @Test func `a narrower terminal has wrapped the old lines`() {
    var region = LiveRegion()
    _ = region.frame([String(repeating: "x", count: 100)], width: 100)
    #expect(region.frame([], width: 40).contains("\u{1B}[3A"))
  }

  @Test func `escape sequences are not seen`() {
    #expect(VisibleText.length("a\u{1B}[32mbc\u{1B}[0md") == 4)
    #expect(VisibleText.cut("abcdef", to: 4) == "abc…")
    #expect(VisibleText.cut("abcd", to: 4) == "abcd")
  }
}
