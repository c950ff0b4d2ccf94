import Foundation
import Glibc
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
    try Running(executable, arguments, in: directory).outcome()
  }

  /// Started, and not waited for.
  static func start(_ arguments: String..., in directory: URL? = nil) throws -> Running {
    try start(arguments, in: directory)
  }

  static func start(_ arguments: [String], in directory: URL? = nil) throws -> Running {
    try Running(executable, arguments, in: directory)
  }

  /// Waits for the end of several that run beside each other, and reads meanwhile what all of them say.
  static func outcomes(of running: [Running]) throws -> [Outcome] {
    var talking = running
    while !talking.isEmpty {
      talking.removeAll { program in
        while true {
          switch program.next(within: 20) {
          case .line: continue
          case .nothing: return false
          case .ended: return true
          }
        }
      }
    }
    return try running.map { try $0.outcome() }
  }
}

/// One run of the program.
final class Running {
  private let process = Process()
  private let folder: Folder
  private let output: Pipe
  private var read = Data()
  private var unread = 0

  init(_ executable: URL, _ arguments: [String], in directory: URL?) throws {
    folder = try Folder()
    output = Pipe()
    process.executableURL = executable
    process.arguments = arguments
    if let directory { process.currentDirectoryURL = directory }
    // What it complains of goes to a file, because nobody reads it before the end.
    try Data().write(to: errors)
    process.standardOutput = output
    process.standardError = try FileHandle(forWritingTo: errors)
    try process.run()
  }

  deinit { if process.isRunning { process.interrupt() } }

  private var errors: URL { folder.url.appending(path: "errors") }

  /// Reads what the program says until a line has this in it.
  /// - Returns: false when it ended before.
  func until(_ text: String) -> Bool {
    while read.range(of: Data(text.utf8)) == nil {
      let more = output.fileHandleForReading.availableData
      if more.isEmpty { return false }
      read += more
    }
    return true
  }

  enum Said {
    case line(String)
    case nothing
    case ended
  }

  /// The next line that the program says.
  /// - Parameter milliseconds: to wait for it at most; nil until it comes.
  func next(within milliseconds: Int32? = nil) -> Said {
    while true {
      if let end = read[unread...].firstIndex(of: UInt8(ascii: "\n")) {
        defer { unread = end + 1 }
        return .line(String(decoding: read[unread..<end], as: UTF8.self))
      }
      var wanted = pollfd(fd: output.fileHandleForReading.fileDescriptor, events: Int16(POLLIN), revents: 0)
      guard poll(&wanted, 1, milliseconds ?? -1) > 0 else { return .nothing }
      let more = output.fileHandleForReading.availableData
      if more.isEmpty { return .ended }
      read += more
    }
  }

  var processID: Int32 { process.processIdentifier }

  /// As a service manager stops it.
  func terminate() { process.terminate() }

  /// As ^C at a terminal.
  func interrupt() { process.interrupt() }

  /// Waits for its end.
  func outcome() throws -> Program.Outcome {
    read += output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return Program.Outcome(
      status: process.terminationStatus, output: String(decoding: read, as: UTF8.self),
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
