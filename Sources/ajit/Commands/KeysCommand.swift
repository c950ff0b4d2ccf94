import ArgumentParser
import Node
import Topology

struct KeysCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keys", abstract: "Make key bundles for a topology's nodes, or show the public halves of keys.",
    discussion: """
      ajit keys generate topologies/remote-surgery.yaml --out keys
      ajit up topologies/remote-surgery.yaml --node edge-alpha-edge --keys keys/edge-alpha-edge --data /var/lib/ajit
      ajit keys show --data .ajit/remote-surgery

      A key file holds one secret and must be readable by its owner only (mode 600).
      """,
    subcommands: [KeysGenerate.self, KeysShow.self])
}

struct KeysGenerate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate", abstract: "Make a network: its genesis, and a key bundle for each of its nodes.",
    discussion: """
      Writes DIR/NODE for every node that the topology's `nodes:` names (without that section, one node per actor):
      that node's secrets, the genesis, and the address book of all. Give each host its own directory and no other. \
      DIR/OFFLINE has the organisations' keys, which no node needs; DIR/CLIENT is for whoever only watches.

      Nothing is overwritten; when it fails, nothing stays.
      """)

  @Argument(help: "Topology file (YAML).", completion: .file(extensions: ["yaml", "yml"]))
  var file: String

  @Option(help: "Directory for the bundles; must not exist, or be empty.", completion: .directory)
  var out: String

  @Option(
    name: .customLong("host"),
    help: "NODE=ADDRESS: the node's IPv4 address, instead of the file's. Repeatable.")
  var hosts: [HostArgument] = []

  @Option(
    help: "The enclave that contracts will admit; ajit-enclave beside this program if left out.", completion: .file())
  var enclave: String?

  func run() async throws {
    try await reporting {
      let (topology, text) = try Files.topology(file)
      let bundles = try KeyBundles.generate(
        topology, text: text, in: out, hosts: Dictionary(hosts.map { ($0.node, $0.address) }) { _, last in last },
        enclaveExecutable: enclave)
      let nodes = topology.placement.nodes
      Terminal.write(
        "network \(bundles.book.network.prefix(8)): \(Wording.counted(nodes.count, "key bundle")) in"
          + " \(bundles.directory): keep them secret\n")
      return .asExpected
    }
  }
}

/// `NODE=10.0.0.7`
struct HostArgument: ExpressibleByArgument {
  let node: String
  let address: Topology.HostAddress

  init?(argument: String) {
    let parts = argument.split(separator: "=", omittingEmptySubsequences: false)
    guard parts.count == 2, let address = Topology.HostAddress(String(parts[1])) else { return nil }
    node = String(parts[0])
    self.address = address
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
      var status = CommandStatus.asExpected
      var table = Table([.init("role"), .init("owner"), .init("public key", .right), .init("file")])
      for (name, path) in consortium.keys {
        var line = Line(role: name.role.rawValue, owner: name.owner, file: path)
        do throws(NodeError) { line.publicKey = try StoredConsortium.publicKey(path).hexadecimal } catch {
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
