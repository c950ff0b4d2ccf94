/// Why the disk refused. Every text is one line: what happened, where, and what a person must do.
public enum StorageError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Another process, or another part of this one, has the directory open.
  case locked(path: String, processID: Int32?)
  /// Written by a later version of AJIT.
  case newerFormat(path: String, detail: String)
  /// Something else lives there.
  case notADataDirectory(path: String, detail: String)
  /// Nothing is there, and nothing was to be created.
  case missing(path: String)
  /// No permission, a read-only file system, a path that cannot exist.
  case unwritable(path: String, detail: String)
  /// No permission to read.
  case unreadable(path: String, detail: String)
  case diskFull(path: String)
  /// The bytes on disk are not what was written.
  case corrupt(path: String, detail: String)
  /// The controller's database has live slices on other resources than the topology now describes.
  case substrateChanged(path: String, liveSlices: Int)
  /// A record that this store cannot keep: a fault of the program.
  case unusableRecord(path: String, detail: String)
  /// The disk or SQLite failed in another way.
  case failed(path: String, detail: String)

  public var description: String {
    switch self {
    case .locked(let path, let processID):
      let holder = processID.map { "process \($0)" } ?? "another process"
      return "\(path) is in use by \(holder): stop it, or choose another data directory"
    case .newerFormat(let path, let detail):
      return "\(path) was written by a newer version (\(detail)): run that version, or choose another data directory"
    case .notADataDirectory(let path, let detail):
      return "\(path) is not a data directory (\(detail)): choose an empty or new directory"
    case .missing(let path):
      return "\(path) does not exist: check the path, or create it by running the topology once"
    case .unwritable(let path, let detail):
      return "\(path) cannot be written (\(detail)): check owner, permissions and mount"
    case .unreadable(let path, let detail):
      return "\(path) cannot be read (\(detail)): check owner and permissions"
    case .diskFull(let path):
      return "no space left for \(path): free space on that file system and start again"
    case .corrupt(let path, let detail):
      return "\(path) is damaged (\(detail)): restore this directory from the other members, do not repair it"
    case .substrateChanged(let path, let liveSlices):
      return "\(path) holds \(liveSlices) live slices on other resources than the topology describes: "
        + "let them end before changing the substrate, or use the old topology"
    case .unusableRecord(let path, let detail):
      return "\(path) cannot keep a record (\(detail)): report this as a fault of the program"
    case .failed(let path, let detail):
      return "\(path) failed (\(detail)): check the disk, then start again"
    }
  }
}
