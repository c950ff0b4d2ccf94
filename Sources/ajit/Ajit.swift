import ArgumentParser
import Messages
import Storage

/// The command line. Commands parse, call one module, and print; nothing is decided here.
@main
struct Ajit: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ajit",
    abstract: "Accountable just-in-time network guarantees: run a consortium, simulate it, read its ledger.",
    discussion: """
      Start with a topology file:
        ajit validate topologies/remote-surgery.yaml
        ajit up topologies/remote-surgery.yaml --until-settled
        ajit ledger activations --data .ajit/remote-surgery

      Exit status (sysexits.h where one fits):
      \(CommandStatus.documentation)
      """,
    version: "0.3.0 (data format \(DataDirectory.format), genesis \(Genesis.formatVersion))",
    subcommands: [
      ValidateCommand.self, UpCommand.self, WatchCommand.self, SimulateCommand.self, StatusCommand.self,
      KeysCommand.self, MembersCommand.self,
      LedgerCommand.self, EvidenceCommand.self, AuditCommand.self,
    ])
}
