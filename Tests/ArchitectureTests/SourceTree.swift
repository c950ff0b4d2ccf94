import Foundation

/// One Swift file of the repository.
struct SourceFile: Sendable {
  /// From the repository's root, as `Sources/Wire/CBORReader.swift`.
  let path: String
  let text: String
  let lines: [String]

  init(path: String, text: String) {
    self.path = path
    self.text = text
    // By bytes: splitting by characters takes a minute for a whole tree in a debug build.
    lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map {
      String(decoding: $0, as: UTF8.self)
    }
  }

  /// The folder right under Sources or Tests.
  var module: String { String(path.split(separator: "/").dropFirst().first ?? "") }

  /// Lines without what stands behind `//`: code only. Good enough for code that has no `//` in string literals but
  /// addresses, which hide at most the rest of their line.
  var codeLines: [String] {
    lines.map { line in
      guard line.utf8.contains(UInt8(ascii: "/")) else { return line }
      return line.range(of: "//").map { String(line[..<$0.lowerBound]) } ?? line
    }
  }
}

/// Something that a check found, in the form that editors jump from.
struct Violation: Hashable, CustomStringConvertible {
  let path: String
  let line: Int
  let message: String

  var description: String { "\(path):\(line): \(message)" }
}

enum SourceTree {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// Every Swift file under a folder of the repository, sorted.
  static func files(under folder: String) throws -> [SourceFile] {
    let base = root.appending(path: folder).resolvingSymlinksInPath()
    guard let found = FileManager.default.enumerator(atPath: base.path) else { return [] }
    let names = found.compactMap { $0 as? String }.filter { $0.hasSuffix(".swift") }.sorted()
    return try names.map { name in
      SourceFile(
        path: "\(folder)/\(name)", text: try String(contentsOf: base.appending(path: name), encoding: .utf8))
    }
  }

  /// The folders right under Sources that hold Swift: the modules.
  static func modules() throws -> [String] {
    var modules: [String] = []
    for file in try files(under: "Sources") where modules.last != file.module { modules.append(file.module) }
    return modules
  }
}
