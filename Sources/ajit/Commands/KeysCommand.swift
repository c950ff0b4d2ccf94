import ArgumentParser
import Node

struct KeysCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keys", abstract: "Make key files for a topology, or show the public halves of a node's.",
    discussion: """
      ajit keys generate topologies/remote-surgery.yaml --out keys
      ajit up topologies/remote-surgery.yaml --keys keys
      ajit keys show --data .ajit/remote-surgery

      A key file holds one secret and must be readable by its owner only (mode 600).
      """,
    subcommands: [KeysGenerate.self, KeysShow.self])
}

struct KeysGenerate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate", abstract: "Make every key that a topology needs, each in a new file of its own.")

  @Argument(help: "Topology file (YAML).", completion: .file(extensions: ["yaml", "yml"]))
  var file: String

  @Option(help: "Directory for the key files; made if it does not exist.", completion: .directory)
  var out: String

  func run() async throws {
    try await reporting {
      let (topology, _) = try Files.topology(file)
      let keys = KeyFiles(topology, directory: out)
      try keys.generate()
      Terminal.write("\(Wording.counted(keys.names.count, "key")) made in \(keys.directory): keep them secret\n")
      return .asExpected
    }
  }
}

struct KeysShow: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Public keys and roles of a node, and whether its key files are in order.")

  @OptionGroup var location: DataOption

  @Flag(help: "One JSON object per line.")
  var json = false

  func run() async throws {
    try await reporting {
      let consortium = try location.consortium
      let keys = KeyFiles(consortium.topology, directory: consortium.keyDirectory)
      var status = CommandStatus.asExpected
      var table = Table([.init("role"), .init("owner"), .init("public key", .right), .init("file")])
      for name in keys.names {
        var line = Line(role: name.role.rawValue, owner: name.owner, file: keys.path(name))
        do throws(NodeError) { line.publicKey = try keys.publicKey(name).hexadecimal } catch {
          line.problem = error.description
          if status == .asExpected { status = CommandStatus(error) }
        }
        if json { try JSONLine.print(line) }
        if !json, let problem = line.problem { Terminal.printError(problem) }
        table.add([
          Table.Cell(line.role), Table.Cell(line.owner), Table.Cell(line.publicKey ?? "–"),
          Table.Cell(line.problem == nil ? "in order" : "REFUSED", line.problem == nil ? .green : .red),
        ])
      }
      if !json {
        let terminal = Terminal()
        Terminal.write(lines: table.lines(width: terminal.tableWidth, terminal))
      }
      return status
    }
  }

  private struct Line: Encodable {
    let role: String
    let owner: String
    let file: String
    @Nullable var publicKey: String?
    @Nullable var problem: String?

    init(role: String, owner: String, file: String) {
      self.role = role
      self.owner = owner
      self.file = file
      publicKey = nil
      problem = nil
    }
  }
}
