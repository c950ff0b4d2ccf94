import Messages
import Storage
import Topology
import Wire

/// What a data directory says about itself, read without its lock and never written: for the command line and for
/// auditors, while the node runs as well as when it is stopped. ``NodeDirectory`` says what lies where.
public struct StoredConsortium: Sendable {
  /// From the root.
  public let path: String
  public let genesis: Genesis
  public let topology: Topology

  public static func read(_ directory: String) throws(NodeError) -> StoredConsortium {
    let path = Files.absolute(directory)
    guard Files.exists(path) else { throw .storage(.missing(path: path)) }
    let genesisPath = "\(path)/genesis.cbor"
    let topologyPath = "\(path)/topology.yaml"
    guard let bytes = try Files.read(genesisPath) else {
      throw .storage(.notADataDirectory(path: path, detail: "it has no genesis.cbor"))
    }
    guard let text = try Files.read(topologyPath) else { throw .damaged(path: topologyPath, detail: "it is missing") }
    guard let file = try? TopologyParser.parse(text, file: topologyPath) else {
      throw .damaged(path: topologyPath, detail: "it is no topology this version reads")
    }
    let genesis: Genesis
    do { genesis = try Genesis(decoding: bytes) } catch { throw .damaged(path: genesisPath, detail: "\(error)") }
    guard genesis.signatureScheme == .ed25519 else {
      throw .damaged(path: genesisPath, detail: "it is a simulation's: its signatures prove nothing")
    }
    return StoredConsortium(path: path, genesis: genesis, topology: file.topology)
  }

  /// Every member that should have a block log here, in member order, and where it is.
  public var blockLogs: [(member: String, path: String)] {
    genesis.members.map { member in
      // Regulators vote, too: each of them has a validator.
      (member.name, "\(path)/\(ActorAddress.Role.validator.storeDirectory)/\(member.name).sqlite")
    }
  }

  /// Where the secret keys are.
  public var keyDirectory: String { "\(path)/keys" }
}
