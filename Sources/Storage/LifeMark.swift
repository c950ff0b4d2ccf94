import Effects
import Glibc
import Wire

/// Tells a store that was put back from a copy from the one that was last used here (consensus.md, "Persist before
/// speaking"): what is in an old copy is true, but more was promised since.
///
/// Each life of a store leaves one empty file beside it, `NAME.life-7`, and writes the file's inode and change time
/// into the store. Both are the kernel's: whatever puts a file back (cp, tar, rsync, onto the old one or beside it)
/// gives it others. So a whole directory put back is noticed by its mark's identity, and a store put back alone by the
/// absence of the mark it names. A store moved to another disk looks the same as one put back; that costs its owner
/// some caution and nothing else.
///
/// Limits, stated: a snapshot of the whole file system rolled back under the process cannot be told from the live
/// state, nor can a store alone put back from a copy made in the very same life. Whoever does either says so
/// (`ajit up --restored`).
public struct LifeMark: Sendable {
  /// Beside the streams of cores; never handed to one.
  static let stream = UInt16.max

  /// Of one mark file.
  struct Identity: Equatable {
    let life: UInt64
    let inode: UInt64
    /// Seconds and nanoseconds of the last change of its inode.
    let changed: (seconds: UInt64, nanoseconds: UInt64)

    static func == (left: Identity, right: Identity) -> Bool {
      left.life == right.life && left.inode == right.inode && left.changed == right.changed
    }
  }

  /// Begins a life of the store.
  /// - Parameter path: the store's file.
  /// - Returns: whether the store is not the one of the last life.
  public static func begin(_ store: any RecordStore, path: String) throws(StorageError) -> Bool {
    let marks = (path.hasSuffix(".sqlite") ? String(path.dropLast(".sqlite".count)) : path) + ".life-"
    var last: Identity?
    if let record = try store.records(stream: stream, from: 0, limit: 1).first {
      do { last = try Identity(decoding: record.bytes) } catch {
        throw .corrupt(path: path, detail: "the mark of its last life cannot be read")
      }
    }
    var isRestored = false
    if let last { isRestored = try identity(of: marks, life: last.life) != last }
    let life = (last?.life ?? 0) + 1
    let mark = try make(marks, life: life)
    try store.commit([.put(stream: stream, key: 0, bytes: mark.encoded), .retire(stream: stream, below: .max)])
    // Only now: after a crash before, the old one must still be there.
    if let last { _ = unlink("\(marks)\(last.life)") }
    return isRestored
  }

  /// An empty file that nobody touches again; a leftover of a crash in this very place is replaced.
  private static func make(_ marks: String, life: UInt64) throws(StorageError) -> Identity {
    let name = "\(marks)\(life)"
    _ = unlink(name)
    let descriptor = Glibc.open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw .unwritable(path: name, detail: String(cString: strerror(errno))) }
    let isSynced = fsync(descriptor) == 0
    _ = Glibc.close(descriptor)
    guard isSynced, let identity = try identity(of: marks, life: life) else {
      throw .failed(path: name, detail: String(cString: strerror(errno)))
    }
    return identity
  }

  private static func identity(of marks: String, life: UInt64) throws(StorageError) -> Identity? {
    var status = stat()
    let name = "\(marks)\(life)"
    guard stat(name, &status) == 0 else {
      if errno == ENOENT { return nil }
      throw .unreadable(path: name, detail: String(cString: strerror(errno)))
    }
    return Identity(
      life: life, inode: UInt64(status.st_ino),
      changed: (
        UInt64(truncatingIfNeeded: status.st_ctim.tv_sec), UInt64(truncatingIfNeeded: status.st_ctim.tv_nsec)
      ))
  }
}

extension LifeMark.Identity: WireCodable {
  func encode(to writer: inout CBORWriter) {
    writer.array(4)
    for number in [life, inode, changed.seconds, changed.nanoseconds] { writer.write(number) }
  }

  init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(4) { (reader) throws(WireError) in
      LifeMark.Identity(
        life: try reader.uint(), inode: try reader.uint(), changed: (try reader.uint(), try reader.uint()))
    }
  }
}
