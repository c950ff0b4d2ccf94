import ArgumentParser
import Messages
import Node

struct LedgerStatus: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Ask the validators of a running consortium who is missing and why views fail.",
    discussion: """
      ajit ledger status
      ajit ledger status --data .ajit/remote-surgery --json

      Each validator says for itself: its era, view and height, of whom it has heard nothing for three heartbeats, why \
      the last view that it gave up passed without a block, and how often for which reason: silentLeader, late (too \
      few voted in time), missingBlock, missingNullifications, clock, execution. Exit status 69 when none answers.
      """)

  @OptionGroup var location: DataOption

  @Flag(help: "One JSON object per line and validator.")
  var json = false

  func run() async throws {
    try await reporting {
      let directory = try location.directory
      let answers = try await StatusInquiry(consortium: StoredConsortium.read(directory), roles: [.validator]).answers()
      guard answers.contains(where: { $0.error == nil }) else {
        throw CommandFailure(
          .unavailable, "no validator answers on \(directory): start one with `ajit up FILE --data \(directory)`")
      }
      if json {
        for answer in answers { try JSONLine.print(answer) }
      } else {
        show(answers)
      }
      return .asExpected
    }
  }

  private func show(_ answers: [StatusInquiry.Answer]) {
    let terminal = Terminal()
    var table = Table([
      .init("validator"), .init("standing"), .init("era", .right), .init("view", .right), .init("height", .right),
      .init("missing"), .init("last view given up"), .init("given up"),
    ])
    for answer in answers {
      let name = String(answer.actor.dropFirst("validator/".count))
      guard answer.error == nil else {
        table.add([Table.Cell(name), "does not answer", "", "", "", "", "", ""])
        continue
      }
      func item(_ name: String) -> String { answer.items.first { $0.name == name }?.value ?? "" }
      let reasons = answer.items.filter { $0.name.hasPrefix("timeouts.") }
        .map { "\($0.name.dropFirst("timeouts.".count)) \($0.value)" }
      table.add([
        Table.Cell(name), Table.Cell(item("standing")), Table.Cell(item("era")), Table.Cell(item("view")),
        Table.Cell(item("height")), Table.Cell(item("missing")), Table.Cell(item("lastTimeout")),
        Table.Cell(reasons.joined(separator: ", ")),
      ])
    }
    Terminal.write(lines: table.lines(width: terminal.tableWidth, terminal))
  }
}
