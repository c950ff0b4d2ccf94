import Foundation
import Topology

/// Reads what a person names on the command line.
enum Files {
  static func bytes(_ path: String) throws -> [UInt8] {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
      throw CommandFailure(.missingInput, "\(path): no such file: check the path")
    }
    guard !isDirectory.boolValue else { throw CommandFailure(.badData, "\(path) is a directory: name a topology file") }
    guard let handle = FileHandle(forReadingAtPath: path) else {
      throw CommandFailure(.notPermitted, "\(path) cannot be read: check its permissions")
    }
    defer { try? handle.close() }
    let data = try handle.read(upToCount: TopologyParser.maximumFileBytes + 1) ?? Data()
    return [UInt8](data)
  }

  /// A topology with its text; warnings go to stderr.
  static func topology(_ path: String) throws -> (file: TopologyFile, text: [UInt8]) {
    let text = try bytes(path)
    let file = try TopologyParser.parse(text, file: path)
    for warning in file.warnings { FileHandle.standardError.write(Data("\(warning)\n".utf8)) }
    return (file, text)
  }

  /// Where `ajit up` keeps a topology's data when nobody says otherwise.
  static func defaultDataDirectory(_ topology: Topology) -> String { ".ajit/\(topology.name)" }
}
