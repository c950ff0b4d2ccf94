import Glibc
import Signing

/// Small files and directories of a data directory: written whole and synced, or not at all.
enum Files {
  /// Files read here are small; a larger one is not ours.
  static let maximumBytes = 64 << 20

  static func exists(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0
  }

  static func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  static func isExecutable(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0
  }

  static func makeDirectory(_ path: String) throws(NodeError) {
    guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw failure(path) }
  }

  /// Writes a new file that only its owner can read; refuses to touch one that is there.
  static func create(_ path: String, _ bytes: [UInt8]) throws(NodeError) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw failure(path) }
    defer { close(descriptor) }
    do throws(NodeError) {
      try write(bytes, to: descriptor, path)
      guard fsync(descriptor) == 0 else { throw failure(path) }
    } catch {
      unlink(path)
      throw error
    }
  }

  /// Puts a file in place of another, or where none was: at any moment one of the two is there, whole.
  static func replace(_ path: String, _ bytes: [UInt8]) throws(NodeError) {
    let new = path + ".new"
    unlink(new)
    try create(new, bytes)
    guard rename(new, path) == 0 else { throw failure(new) }
    try synchronizeDirectory(parent(of: path))
  }

  /// Within one file system; what was at the new place must be gone before.
  static func move(_ path: String, to new: String) throws(NodeError) {
    guard rename(path, new) == 0 else { throw failure(new) }
  }

  /// - Returns: nil when there is no such file.
  static func read(_ path: String) throws(NodeError) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      if errno == ENOENT { return nil }
      throw failure(path, reading: true)
    }
    defer { close(descriptor) }
    return try read(descriptor, path)
  }

  static func read(_ descriptor: Int32, _ path: String) throws(NodeError) -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while bytes.count <= maximumBytes * 8 {
      let count = Glibc.read(descriptor, &chunk, chunk.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw failure(path, reading: true) }
      if count == 0 { return bytes }
      bytes += chunk[..<count]
    }
    throw .damaged(path: path, detail: "it is too large")
  }

  static func synchronizeDirectory(_ path: String) throws(NodeError) {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure(path) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw failure(path) }
  }

  /// Removes a file, or a directory with everything in it. Follows no links.
  static func remove(_ path: String) {
    guard unlink(path) != 0, errno == EISDIR || errno == EPERM else { return }
    for name in entries(path) { remove("\(path)/\(name)") }
    rmdir(path)
  }

  /// A directory of small files, with the same access, to where nothing is.
  static func copyDirectory(_ path: String, to new: String) throws(NodeError) {
    try makeDirectory(new)
    for name in entries(path) {
      let (from, to) = ("\(path)/\(name)", "\(new)/\(name)")
      if isDirectory(from) {
        try copyDirectory(from, to: to)
      } else if var bytes = try read(from) {
        defer { wipe(&bytes) }
        try create(to, bytes)
      }
    }
    try synchronizeDirectory(new)
  }

  /// Sorted; none if it cannot be read.
  static func entries(_ path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// The path from the root, without `.`, `..` and doubled slashes; links are left as they are.
  static func absolute(_ path: String) -> String {
    var parts: [Substring] = []
    for part in ((path.hasPrefix("/") ? "" : workingDirectory() + "/") + path).split(separator: "/") {
      switch part {
      case ".": continue
      case "..": _ = parts.popLast()
      default: parts.append(part)
      }
    }
    return "/" + parts.joined(separator: "/")
  }

  static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// The file that this process runs.
  static func ownExecutable() -> String {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    return String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// What a failed call says, by `errno`.
  static func failure(_ path: String, reading: Bool = false) -> NodeError {
    let code = errno
    switch code {
    case EACCES where reading, EPERM where reading: return .storage(.unreadable(path: path, detail: reason(code)))
    case ENOSPC, EDQUOT: return .storage(.diskFull(path: path))
    case EACCES, EROFS, EPERM: return .storage(.unwritable(path: path, detail: reason(code)))
    default: return .file(path: path, detail: reason(code))
    }
  }

  static func reason(_ code: Int32) -> String { String(cString: strerror(code)) }

  private static func workingDirectory() -> String {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    guard getcwd(&buffer, buffer.count) != nil else { return "" }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private static func write(_ bytes: [UInt8], to descriptor: Int32, _ path: String) throws(NodeError) {
    var written = 0
    while written < bytes.count {
      let count = bytes[written...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw failure(path) }
      written += count
    }
  }
}
