import ArgumentParser
import Messages
import Testing

@testable import ajit

struct ArgumentTests {
  private func parse<Command>(_ type: Command.Type, _ arguments: String...) throws -> Command {
    try #require(try Ajit.parseAsRoot(arguments) as? Command)
  }

  @Test func `up takes its options`() throws {
    let up = try parse(UpCommand.self, "up", "a.yaml", "--data", "d", "--fresh", "--for", "30s", "--json")
    #expect(up.file == "a.yaml")
    #expect(up.data == "d")
    #expect(up.fresh && up.json && !up.untilSettled)
    #expect(up.duration?.span == .seconds(30))
  }

  @Test(arguments: [
    ["up"],
    ["up", "a.yaml", "--until-settled", "--for", "1s"],
    ["up", "a.yaml", "--for", "soon"],
    ["simulate", "a.yaml", "--seed", "-1"],
    ["simulate", "a.yaml", "--seeds", "3..<3"],
    ["simulate", "a.yaml", "--seed", "1", "--seeds", "1..<3"],
    ["simulate", "a.yaml", "--chaos", "some"],
    ["simulate", "a.yaml", "--for", "1s", "--limit", "2s"],
    ["validate"],
    ["ledger", "blocks", "--frobnicate"],
    ["keys", "generate", "a.yaml"],
    ["dance"],
  ]) func `what makes no sense is refused with 64`(arguments: [String]) {
    #expect {
      _ = try Ajit.parseAsRoot(arguments)
    } throws: { error in
      Ajit.exitCode(for: error).rawValue == CommandStatus.usage.rawValue
    }
  }

  @Test(arguments: [
    ("500ms", 500), ("30s", 30_000), ("5min", 300_000), ("1h", 3_600_000),
  ]) func `durations have units`(text: String, milliseconds: Int64) {
    #expect(SpanArgument(argument: text)?.span == .milliseconds(milliseconds))
  }

  @Test(arguments: ["", "s", "5", "-1s", "0s", "1.5s", "1d", "9223372036854775807h", "１s"])
  func `anything else is no duration`(text: String) {
    #expect(SpanArgument(argument: text) == nil)
  }

  @Test func `ledger listings share their options`() throws {
    let blocks = try parse(LedgerBlocks.self, "ledger", "blocks", "--data", "d", "--member", "bravo", "--json")
    #expect(blocks.options.member == "bravo" && blocks.options.json)
    #expect(try blocks.options.location.directory == "d")
  }
}
