import Foundation
import Topology

/// Reads what a person names on the command line.
enum Files {
  static func bytes(_ path: String) throws -> [UInt8] {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
      throw CommandFailure(.missingInput, "\(path): no such file: check the path")
    }
    guard !isDirectory.boolValue else {
      throw CommandFailure(.badData, "\(path) is a directory: name a topology file")
    }
    guard let handle = FileHandle(forReadingAtPath: path) else {
      throw CommandFailure(.notPermitted, "\(path) cannot be read: check its permissions")
    }
    defer { try? handle.close() }
    do {
      return [UInt8](try handle.read(upToCount: TopologyParser.maximumFileBytes + 1) ?? Data())
    } catch {
      throw CommandFailure(.inputOutput, "\(path) cannot be read (\(error.localizedDescription)): check the disk")
    }
  }

  /// A topology with its text; warnings go to stderr.
  static func topology(_ path: String) throws -> (topology: Topology, text: [UInt8]) {
    let text = try bytes(path)
    let file = try TopologyParser.parse(text, file: path)
    for warning in file.warnings { Terminal.printDiagnostics(warning.description) }
    return (file.topology, text)
  }
}
