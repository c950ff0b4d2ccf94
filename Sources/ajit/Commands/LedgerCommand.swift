import ArgumentParser
import Ledger
import Messages
import Node

struct LedgerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ledger", abstract: "Read the ledger a member holds, or check it from the genesis.",
    discussion: """
      ajit ledger activations
      ajit ledger transactions --member bravo --json
      ajit ledger verify --data .ajit/remote-surgery

      Reads the data directory of a consortium, running or stopped, and never writes to it.
      """,
    subcommands: [
      LedgerBlocks.self, LedgerTransactions.self, LedgerContracts.self, LedgerActivations.self, LedgerAccounts.self,
      LedgerVerify.self, LedgerJudge.self, LedgerExport.self, LedgerStatus.self,
      LedgerEvidence.self,
    ])
}

/// What the listing commands have in common: whose copy they read, and how they print.
struct LedgerOptions: ParsableArguments {
  @OptionGroup var location: DataOption

  @Option(help: "Whose copy to read; the first member's if left out.")
  var member: String?

  @Flag(help: "One JSON object per line.")
  var json = false

  /// The member's copy, executed again. `visit` sees each block with its transactions and the state after it.
  func replay(
    _ visit: (Block, [LedgerReplay.Entry], LedgerState) throws -> Void = { _, _, _ in }
  ) throws -> LedgerReplay {
    let consortium = try location.consortium
    return try LedgerReplay(consortium, try log(consortium), visit: visit)
  }

  func log(_ consortium: StoredConsortium) throws -> BlockLog {
    let logs = consortium.blockLogs
    guard let log = logs.first(where: { $0.member == member ?? logs.first?.member }) else {
      let names = logs.map(\.member).joined(separator: ", ")
      throw CommandFailure(.usage, "there is no member \(member ?? ""): choose one of \(names)")
    }
    return try BlockLog(member: log.member, path: log.path)
  }

  /// Prints rows as a table or, one by one, as JSON lines.
  func show<Row: LedgerRow>(_ rows: [Row]) throws {
    if json {
      for row in rows { try JSONLine.print(row) }
    } else {
      let terminal = Terminal()
      var table = Table(Row.columns)
      for row in rows { table.add(row.cells) }
      Terminal.write(lines: table.lines(width: terminal.tableWidth, terminal))
    }
  }
}

/// A line of a listing: an object for machines, a row for people.
protocol LedgerRow: Encodable {
  static var columns: [Table.Column] { get }
  var cells: [Table.Cell] { get }
}
