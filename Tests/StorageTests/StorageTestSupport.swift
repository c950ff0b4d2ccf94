import Foundation
import Glibc

@testable import Storage

/// A directory for one test, removed at its end.
final class TemporaryDirectory: Sendable {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("ajit-storage-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { "\(path)/\(name)" }
  var entries: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path).sorted()) ?? [] }
}

/// Commits that a process was told are durable, in a file that outlives its kill: one byte each.
struct Acknowledgements {
  private let descriptor: Int32

  init(path: String) { descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o600) }

  func append() {
    var byte: UInt8 = 1
    write(descriptor, &byte, 1)
  }

  static func count(path: String) -> UInt64 {
    var status = stat()
    return stat(path, &status) == 0 ? UInt64(status.st_size) : 0
  }
}

/// Kills this very process, from outside whatever it is doing then.
func killSelf(afterMicroseconds delay: UInt32) {
  Thread.detachNewThread {
    usleep(delay)
    kill(getpid(), SIGKILL)
  }
}
