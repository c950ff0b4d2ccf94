import Foundation
import Testing
import Topology

/// Files of the repository, found from this source file: tests run in any directory.
enum Files {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  static let fixtures = root.appending(path: "Tests/Fixtures/topologies")

  static func bytes(_ url: URL) throws -> [UInt8] { [UInt8](try Data(contentsOf: url)) }

  /// Names without their ending, sorted.
  static func names(in folder: URL, ending: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path)
      .filter { $0.hasSuffix(ending) }.map { String($0.dropLast(ending.count)) }.sorted()
  }

  static func minimal() throws -> String {
    String(decoding: try bytes(fixtures.appending(path: "minimal.yaml")), as: UTF8.self)
  }
}

/// What a person sees: the diagnostics without the file's name.
func complaints(about yaml: String) -> [String] { complaints(about: Array(yaml.utf8)) }

func complaints(about bytes: [UInt8]) -> [String] {
  do throws(TopologyRefused) {
    return try TopologyParser.parse(bytes, file: "f").warnings.map { String("\($0)".dropFirst(2)) }
  } catch {
    return error.diagnostics.map { String("\($0)".dropFirst(2)) }
  }
}

extension String {
  /// Fails the test when there is nothing to replace, so that a changed fixture cannot make a test empty.
  func replacing(once old: String, by new: String, _ location: SourceLocation = #_sourceLocation) -> String {
    guard let range = range(of: old) else {
      Issue.record("'\(old)' is not in the text", sourceLocation: location)
      return self
    }
    return replacingCharacters(in: range, with: new)
  }
}
