import Assembly
import Glibc
import Signing
import Topology

/// The key files of a topology, for people who make or look at them. Secrets never leave ``FileKeyring``.
public struct KeyFiles: Sendable {
  public let directory: String
  /// Every key that the topology needs, in file order.
  public let names: [KeyName]

  public init(_ topology: Topology, directory: String) {
    self.directory = Files.absolute(directory)
    names = KeyDirectory.names(topology)
  }

  /// Makes all keys, each in a new file that only its owner can read. When one cannot be made, none remains; files
  /// that were there are never touched.
  public func generate() throws(NodeError) {
    let existed = Files.exists(directory)
    if let name = names.first(where: { Files.exists(path($0)) }) {
      throw .file(path: path(name), detail: "it exists, and keys are never overwritten")
    }
    do throws(NodeError) {
      try FileKeyring.create(in: directory, names)
    } catch {
      for name in names { Files.remove(path(name)) }
      if !existed { Files.remove(directory) }
      throw error
    }
  }

  /// The public half of one key.
  /// - Throws: `keyMissing`, `keyExposed` or `keyMalformed`, as a node would refuse it.
  public func publicKey(_ name: KeyName) throws(NodeError) -> PublicKey {
    do {
      return try FileKeyring(directory: directory).signingKey(name).publicKey
    } catch let error as NodeError {
      throw error
    } catch {
      throw .noRandomness("\(error)")
    }
  }

  public func path(_ name: KeyName) -> String { FileKeyring.path(directory, name) }
}
