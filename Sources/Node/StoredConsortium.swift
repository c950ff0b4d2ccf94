import Assembly
import Messages
import Signing
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
  /// What the directory is for.
  public let extent: Extent

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
    return StoredConsortium(
      path: path, genesis: genesis, topology: file.topology, extent: try Extent(stored: NodeContent.extent(path), path))
  }

  /// The data directories that actors have theirs in, and who they are; one, unless each node has its own.
  public var places: [(directory: String, actors: [ActorAddress])] {
    switch extent {
    case .everything: [(path, topology.actors)]
    case .node(let name): [(path, topology.placement.node(named: name)?.actors ?? [])]
    case .spread:
      topology.placement.nodes.filter { !$0.isExternal }.map {
        ("\(path)/\(NodeDirectory.Name.nodes)/\($0.name)", $0.actors)
      }
    }
  }

  /// Every validator that should have a block log here, in file order, and where it is: members and who observes.
  public var blockLogs: [(member: String, path: String)] {
    // Regulators vote, too: each of them has a validator.
    topology.validatorNames.compactMap { name in
      storePath(of: ActorAddress(.validator, name)).map { (member: name, path: $0) }
    }
  }

  /// Where an actor's records should be; nil when it runs elsewhere.
  public func storePath(of actor: ActorAddress) -> String? {
    places.first { $0.actors.contains(actor) }.map {
      "\($0.directory)/\(actor.role.storeDirectory)/\(actor.name).sqlite"
    }
  }

  /// The secret keys that should be here, and where each is, in file order.
  public var keys: [(name: KeyName, path: String)] {
    if extent == .everything {
      return KeyDirectory.names(topology).map { ($0, FileKeyring.path("\(path)/\(NodeDirectory.Name.keys)", $0)) }
    }
    return places.flatMap { place in
      KeyName.names(topology, neededBy: place.actors).map {
        ($0, FileKeyring.path("\(place.directory)/\(NodeDirectory.Name.keys)", $0))
      }
    }
  }

  /// The validator keys that are here, oldest first, of everybody whose key is.
  public func validatorKeys(of owner: String) throws -> [SigningKey]? {
    guard let keyring = keyring(of: owner) else { return nil }
    return try keyring.validatorKeys(of: owner)
  }

  /// Makes the key that a validator's next rotation brings in. Its node votes with it after it was started again.
  public func createNextValidatorKey(of owner: String) throws -> SigningKey? {
    try keyring(of: owner)?.createNextValidatorKey(of: owner)
  }

  private func keyring(of owner: String) -> FileKeyring? {
    let address = ActorAddress(.validator, owner)
    guard let place = places.first(where: { $0.actors.contains(address) }) else { return nil }
    let keyring = FileKeyring(directory: "\(place.directory)/\(NodeDirectory.Name.keys)")
    return Files.exists(FileKeyring.path(keyring.directory, KeyName(.validator, owner))) ? keyring : nil
  }

  /// The public half of a secret key here.
  /// - Throws: `keyMissing`, `keyExposed` or `keyMalformed`, as a node would refuse it.
  public static func publicKey(_ path: String) throws(NodeError) -> PublicKey {
    do { return try FileKeyring.signingKey(at: path).publicKey } catch let error as NodeError { throw error } catch {
      throw .noRandomness("\(error)")
    }
  }
}

extension Extent {
  /// - Parameter path: of the directory that says so.
  init(stored: String, _ path: String) throws(NodeError) {
    switch stored {
    case Extent.everything.description: self = .everything
    case Extent.spread.description: self = .spread
    default:
      guard stored.hasPrefix("node ") else {
        throw .damaged(
          path: "\(path)/\(NodeDirectory.Name.extent)", detail: "it does not say what the directory is for")
      }
      self = .node(String(stored.dropFirst("node ".count)))
    }
  }
}
