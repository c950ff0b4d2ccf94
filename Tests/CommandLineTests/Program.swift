import Foundation
import Testing

/// The built `ajit`, run as a person runs it.
enum Program {
  struct Outcome {
    let status: Int32
    let output: String
    let errors: String

    var outputLines: [String] { output.split(separator: "\n").map(String.init) }
    var errorLines: [String] { errors.split(separator: "\n").map(String.init) }
  }

  /// Beside the test runner: both are products of one build.
  private static let executable = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
    .deletingLastPathComponent().appending(path: "ajit")

  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  static func topology(_ name: String) -> String { root.appending(path: "topologies/\(name).yaml").path }
  static func badTopology(_ name: String) -> String {
    root.appending(path: "Tests/Fixtures/topologies/\(name).yaml").path
  }

  static func run(_ arguments: String..., in directory: URL? = nil) throws -> Outcome {
    let process = Process()
    process.executableURL = executable
    process.arguments = arguments
    if let directory { process.currentDirectoryURL = directory }
    // Files, not pipes: a full pipe would stop the program, and nobody reads before it ends.
    let folder = try Folder()
    let (out, errors) = (folder.url.appending(path: "out"), folder.url.appending(path: "errors"))
    try Data().write(to: out)
    try Data().write(to: errors)
    process.standardOutput = try FileHandle(forWritingTo: out)
    process.standardError = try FileHandle(forWritingTo: errors)
    try process.run()
    process.waitUntilExit()
    return Outcome(
      status: process.terminationStatus, output: String(decoding: try Data(contentsOf: out), as: UTF8.self),
      errors: String(decoding: try Data(contentsOf: errors), as: UTF8.self))
  }
}

/// A directory of a test's own, removed with the last reference.
final class Folder {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appending(path: "ajit-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  var path: String { url.path }
}
