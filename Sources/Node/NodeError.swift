import Bus
import Hosting
import Messages
import Storage

/// Why a node did not start, or had to stop. Every text is one line: what happened, where, and what a person must do.
public enum NodeError: Error, Sendable, CustomStringConvertible {
  // The data directory
  /// Locked, of a newer version, full, unwritable, damaged, somebody else's.
  case storage(StorageError)
  /// A file or directory operation failed; the detail is the system's reason.
  case file(path: String, detail: String)
  /// A file of the data directory does not say what this program wrote.
  case damaged(path: String, detail: String)
  /// The directory was made for another topology.
  case topologyDiffers(directory: String)
  /// The directory is for another part of the topology; `holds` is an ``Extent``'s text.
  case extentDiffers(directory: String, holds: String)
  /// The directory's contracts admit another build of the enclave.
  case enclaveChanged(executable: String, directory: String)

  // Keys
  /// No network without its genesis, and that comes with the keys; the path is what was named, if anything.
  case bundleMissing(node: String, path: String?)
  /// A bundle of another node, topology or network.
  case bundleDiffers(path: String, detail: String)
  case unknownNode(name: String, known: [String])
  case keyMissing(path: String)
  /// Group or others may read or write it; the mode is octal.
  case keyExposed(path: String, mode: String)
  case keyMalformed(path: String)
  /// The network was founded with other keys than those named now.
  case keysDiffer(keys: String, directory: String)

  // What the system has to give
  case bus(BusError)
  case dataPort(DataPortError)
  case noRandomness(String)

  // Enclaves
  case enclaveExecutableMissing(path: String)
  case enclaveDidNotStart(name: String, detail: String)
  case enclaveKeepsStopping(name: String, restarts: Int)

  // Nodes
  case nodeDidNotStart(name: String, detail: String)
  /// A node of a spread ended by itself; `lines` are the last of its log.
  case nodeStopped(name: String, status: String, lines: [String])

  // Actors
  /// The topology passes its own checks, but its actors cannot be made from it.
  case impossible(detail: String)
  /// An actor's durable records cannot be its own.
  case unrecoverable(actor: ActorAddress, detail: String)
  /// An actor found that going on would break a promise, or its commit failed.
  case halted(actor: ActorAddress, detail: String)

  public var description: String {
    switch self {
    case .storage(let error): return "\(error)"
    case .file(let path, let detail): return "\(path): \(detail): check owner, permissions and space"
    case .damaged(let path, let detail):
      return "\(path) is damaged (\(detail)): restore the directory, or found a new network with --fresh"
    case .topologyDiffers(let directory):
      return "\(directory) was made for another topology: use that file, another --data, or --fresh to begin anew"
    case .extentDiffers(let directory, let holds):
      return "\(directory) holds \(Self.wording(extent: holds)): "
        + "start that, use another --data, or --fresh to begin anew"
    case .enclaveChanged(let executable, let directory):
      return "\(executable) is not the enclave that the contracts in \(directory) admit: "
        + "run that build, use another --data, or --fresh to begin anew"
    case .bundleMissing(let node, let path):
      return (path.map { "\($0) is not the key bundle of node \(node)" } ?? "node \(node) has no keys yet")
        + ": make bundles with `ajit keys generate FILE --out DIR`, and name this node's with --keys DIR/\(node)"
    case .bundleDiffers(let path, let detail):
      return "\(path) is not the key bundle to use here (\(detail)): "
        + "name the one that `ajit keys generate` made for this node and file"
    case .unknownNode(let name, let known):
      return "the topology has no node \(name): choose one of \(known.joined(separator: ", "))"
    case .keyMissing(let path):
      return "\(path) is missing: restore it from your copy, or found a new network with --fresh and new keys"
    case .keyExposed(let path, let mode):
      return "\(path) can be read or changed by others (mode \(mode)): chmod 600 it, and replace the key if it leaked"
    case .keyMalformed(let path): return "\(path) is not a key (64 hexadecimal digits): restore it from your copy"
    case .keysDiffer(let keys, let directory):
      return "the network in \(directory) was not founded with the keys in \(keys): "
        + "leave out --keys, use another --data, or --fresh to begin anew"
    case .bus(.addressInUse(let endpoint)):
      return "\(endpoint) is in use by another process: stop it, or choose another --data"
    case .bus(let error): return "\(error)"
    case .dataPort(let error): return "\(error)"
    case .noRandomness(let detail): return "no keys can be made (\(detail)): check the limits on memory mappings"
    case .enclaveExecutableMissing(let path):
      return "\(path) is missing or cannot be run: install ajit-enclave beside ajit, or name it with --enclave"
    case .enclaveDidNotStart(let name, let detail): return "enclave \(name) did not start: \(detail)"
    case .enclaveKeepsStopping(let name, let restarts):
      return "enclave \(name) stopped again after \(restarts) restarts: its own lines in the log say why"
    case .nodeDidNotStart(let name, let detail): return "node \(name) did not start: \(detail)"
    case .nodeStopped(let name, let status, let lines):
      let log = lines.isEmpty ? "it said nothing" : "it said last: " + lines.joined(separator: " | ")
      return "node \(name) stopped (\(status)); \(log)"
    case .impossible(let detail): return "this topology cannot be run: \(detail)"
    case .unrecoverable(let actor, let detail):
      return "\(actor) cannot be recovered from its records: \(detail)"
    case .halted(let actor, let detail): return "\(actor) stopped the node: \(detail)"
    }
  }

  private static func wording(extent: String) -> String {
    switch extent {
    case Extent.everything.description: "a consortium of one process"
    case Extent.spread.description: "a consortium of one process per node (--spread)"
    default: "\(extent) only"
    }
  }
}
