import Bus
import Glibc
import Signing

/// Where the sockets of a running node are: `DIR/run`, or, when that is too long for a socket's address (unix(7): 108
/// bytes), a directory of this user's own under the temporary directory, named after DIR, so that whoever knows DIR
/// finds it.
struct SocketPaths: Sendable {
  let directory: String

  /// Longest name of a socket in it.
  private static let longestName = "enclaves-65535"

  init(dataDirectory: String) {
    let path = Files.absolute(dataDirectory)
    let run = "\(path)/run"
    if run.utf8.count + 1 + Self.longestName.utf8.count <= BusEndpoint.maximumPathBytes {
      directory = run
    } else {
      let name = Digest(label: "AJIT run directory", Array("\(geteuid()) \(path)".utf8)).hexadecimal.prefix(24)
      directory = "/tmp/ajit-\(name)"
    }
  }

  var bus: BusEndpoint { .ipc(path: "\(directory)/bus") }
  /// Of one process of enclaves.
  func enclaves(_ number: Int) -> BusEndpoint { .ipc(path: "\(directory)/enclaves-\(number)") }

  /// Makes the directory, and makes sure that nobody else can put anything into it.
  func prepare() throws(NodeError) {
    try Files.makeDirectory(directory)
    var status = stat()
    guard lstat(directory, &status) == 0 else { throw Files.failure(directory) }
    guard status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid(), status.st_mode & 0o077 == 0 else {
      throw .file(path: directory, detail: "it is not a directory that only this user can use")
    }
  }

  /// Removes the directory unless something is left in it.
  func remove() { rmdir(directory) }
}
