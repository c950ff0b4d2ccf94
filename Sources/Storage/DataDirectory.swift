import Foundation
import Glibc

/// The directory that holds everything one deployment keeps: locked while open, marked with the format's version,
/// never left half made.
///
/// `lock` carries the holder's process id and an `flock(2)` lock, which ends with the process however it ends.
/// `format` is written last when a directory is made: without it the directory is still empty, whatever a crash left.
public final class DataDirectory: Sendable {
  public let path: String
  private let lock: Int32

  /// The version this program writes, and the greatest it reads.
  public static let format = 1
  /// Free space below which a node does not start, bytes: a commit must not be what finds the disk full.
  public static let minimumFreeBytes: UInt64 = 16 << 20

  private static let formatPrefix = "AJIT data directory, format "
  private static let formatName = "format"
  private static let lockName = "lock"

  private init(path: String, lock: Int32) {
    self.path = path
    self.lock = lock
  }

  deinit { _ = Glibc.close(lock) }

  /// Opens the directory and locks it for this object's life; makes it, and its parents, if asked to.
  public static func open(
    _ path: String, creating: Bool = true, minimumFreeBytes: UInt64 = DataDirectory.minimumFreeBytes
  ) throws(StorageError) -> DataDirectory {
    // `data/` and `data` are one directory.
    let path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    var made: [String] = []
    do throws(StorageError) {
      if isDirectory(path) == nil {
        guard creating else { throw StorageError.missing(path: path) }
        made = try makeDirectories(path)
      }
      return try open(existing: path, creating: creating, minimumFreeBytes: minimumFreeBytes)
    } catch {
      for directory in made.reversed() { _ = rmdir(directory) }
      throw error
    }
  }

  /// Where a file of this name lives.
  public func file(_ name: String) -> String { "\(path)/\(name)" }

  /// Removes everything that was kept here and leaves a new, locked directory: a fresh start.
  public func removeContents() throws(StorageError) {
    for name in try entries(path) where name != Self.lockName && name != Self.formatName {
      do {
        try FileManager.default.removeItem(atPath: file(name))
      } catch {
        throw .unwritable(path: file(name), detail: "it cannot be removed")
      }
    }
    try syncDirectory(path)
  }

  // MARK: Opening

  private static func open(existing path: String, creating: Bool, minimumFreeBytes: UInt64) throws(StorageError)
    -> DataDirectory
  {
    guard isDirectory(path) == true else { throw .notADataDirectory(path: path, detail: "it is a file") }
    let isNew = try !hasFormat(path)
    if isNew { try refuseForeign(path, creating: creating) }
    let lock = try takeLock(path)
    do throws(StorageError) {
      try requireSpace(path, minimumFreeBytes)
      try writeHolder(lock, path)
      // Whoever held the lock before may have made the directory meanwhile.
      if isNew, try !hasFormat(path) { try writeFormat(path) }
      return DataDirectory(path: path, lock: lock)
    } catch {
      if isNew { _ = unlink("\(path)/\(lockName)") }
      _ = Glibc.close(lock)
      throw error
    }
  }

  /// Whether `format` is there; refuses any that this program cannot read.
  private static func hasFormat(_ path: String) throws(StorageError) -> Bool {
    guard let text = try read("\(path)/\(formatName)") else { return false }
    guard text.hasPrefix(formatPrefix), let version = Int(text.dropFirst(formatPrefix.count).filter { $0 != "\n" })
    else { throw .notADataDirectory(path: path, detail: "its file '\(formatName)' is not AJIT's") }
    guard version <= format else { throw .newerFormat(path: path, detail: "format \(version), this reads \(format)") }
    return true
  }

  /// A directory without `format` is only taken over when there is nothing in it but what an interrupted making left.
  private static func refuseForeign(_ path: String, creating: Bool) throws(StorageError) {
    let foreign = try entries(path).first { $0 != lockName && $0 != "\(formatName).new" }
    if let foreign { throw .notADataDirectory(path: path, detail: "it holds '\(foreign)' and no file '\(formatName)'") }
    guard creating else { throw .notADataDirectory(path: path, detail: "it is empty") }
  }

  private static func takeLock(_ path: String) throws(StorageError) -> Int32 {
    let name = "\(path)/\(lockName)"
    let descriptor = Glibc.open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw systemError(name) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let isHeld = errno == EWOULDBLOCK
      let error: StorageError = isHeld ? .locked(path: path, processID: nil) : systemError(name)
      _ = Glibc.close(descriptor)
      guard isHeld, let holder = try read(name), let processID = Int32(holder.filter { $0 != "\n" }) else {
        throw error
      }
      throw .locked(path: path, processID: processID)
    }
    // A failed making may have unlinked the file between open and flock: a lock on what has no name keeps nobody out.
    guard isFile(descriptor, at: name) else {
      _ = Glibc.close(descriptor)
      throw .locked(path: path, processID: nil)
    }
    return descriptor
  }

  /// Says in the lock file who holds it, for the message that the next one gets.
  private static func writeHolder(_ lock: Int32, _ path: String) throws(StorageError) {
    guard ftruncate(lock, 0) == 0 else { throw systemError(path) }
    try write("\(getpid())\n", to: lock, path)
  }

  private static func requireSpace(_ path: String, _ minimum: UInt64) throws(StorageError) {
    var status = statvfs()
    guard statvfs(path, &status) == 0 else { throw systemError(path) }
    guard UInt64(status.f_bavail) * UInt64(status.f_frsize) >= minimum else { throw .diskFull(path: path) }
  }

  /// Written beside, synced, renamed, and the directory synced: `format` is whole or absent.
  private static func writeFormat(_ path: String) throws(StorageError) {
    let (new, final) = ("\(path)/\(formatName).new", "\(path)/\(formatName)")
    let descriptor = Glibc.open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw systemError(new) }
    do throws(StorageError) {
      defer { _ = Glibc.close(descriptor) }
      try write("\(formatPrefix)\(format)\n", to: descriptor, new)
      guard fsync(descriptor) == 0, rename(new, final) == 0 else { throw systemError(new) }
      try syncDirectory(path)
    } catch {
      _ = unlink(new)
      throw error
    }
  }

  /// - Returns: the directories made, outermost first. None remains if one cannot be made.
  private static func makeDirectories(_ path: String) throws(StorageError) -> [String] {
    var missing: [String] = []
    var current = path
    while isDirectory(current) == nil {
      missing.append(current)
      guard let slash = current.lastIndex(of: "/"), slash != current.startIndex else { break }
      current = String(current[..<slash])
    }
    var made: [String] = []
    do throws(StorageError) {
      for directory in missing.reversed() {
        guard mkdir(directory, 0o700) == 0 else { throw systemError(directory) }
        made.append(directory)
        try syncDirectory("\(directory)/..")
      }
      return made
    } catch {
      for directory in made.reversed() { _ = rmdir(directory) }
      throw error
    }
  }
}

// MARK: System calls

/// nil if nothing is there.
private func isDirectory(_ path: String) -> Bool? {
  var status = stat()
  guard stat(path, &status) == 0 else { return nil }
  return status.st_mode & S_IFMT == S_IFDIR
}

/// Whether the name still leads to the open file.
private func isFile(_ descriptor: Int32, at name: String) -> Bool {
  var (opened, named) = (stat(), stat())
  return fstat(descriptor, &opened) == 0 && stat(name, &named) == 0 && opened.st_dev == named.st_dev
    && opened.st_ino == named.st_ino
}

private func entries(_ path: String) throws(StorageError) -> [String] {
  guard let directory = opendir(path) else { throw systemError(path) }
  defer { closedir(directory) }
  var names: [String] = []
  while let entry = readdir(directory) {
    let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    if name != "." && name != ".." { names.append(name) }
  }
  return names.sorted()
}

/// The start of a small text file; nil if there is none.
private func read(_ name: String) throws(StorageError) -> String? {
  let descriptor = Glibc.open(name, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else {
    if errno == ENOENT { return nil }
    throw systemError(name)
  }
  defer { _ = Glibc.close(descriptor) }
  var bytes = [UInt8](repeating: 0, count: 128)
  let count = Glibc.read(descriptor, &bytes, bytes.count)
  guard count >= 0 else { throw systemError(name) }
  return String(decoding: bytes.prefix(count), as: UTF8.self)
}

private func write(_ text: String, to descriptor: Int32, _ name: String) throws(StorageError) {
  let bytes = Array(text.utf8)
  guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else { throw systemError(name) }
}

private func syncDirectory(_ path: String) throws(StorageError) {
  let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  guard descriptor >= 0 else { throw systemError(path) }
  defer { _ = Glibc.close(descriptor) }
  guard fsync(descriptor) == 0 else { throw systemError(path) }
}

/// What the last failed system call means for whoever runs the node.
private func systemError(_ path: String) -> StorageError {
  let code = errno
  let text = String(cString: strerror(code))
  return switch code {
  case ENOSPC, EDQUOT: .diskFull(path: path)
  case ENOTDIR: .notADataDirectory(path: path, detail: "a part of its path is a file")
  case EACCES, EPERM, EROFS, ENOENT, ENAMETOOLONG, ELOOP: .unwritable(path: path, detail: text)
  default: .failed(path: path, detail: text)
  }
}
