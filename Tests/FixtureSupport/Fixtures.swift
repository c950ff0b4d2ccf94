/// Golden vectors: inputs and the exact bytes they become, kept in `Tests/Fixtures/<name>.json` and checked twice,
/// by the Swift tests and by `Tests/Interop/verify_vectors.py` with public libraries only. So a change of the wire
/// format never goes unnoticed, and a stranger can write a second implementation from them.
///
/// To add vectors: make an `Encodable` type with the inputs (seeds included) and the hexadecimal outputs, compute a
/// list of them in a test and hand it over:
///
///     try Fixtures.check("receipts", about: "Receipts of one epoch.", vectors)
///
/// The test compares. It writes only when somebody asks for it:
///
///     AJIT_RECORD_FIXTURES=1 swift test --filter WireTests
///
/// and the difference is then read in the commit. Signed messages are best given as ``EnvelopeVector``: the Python
/// script verifies every file named `envelope*.json` or `messages*.json` that has that shape.
import Foundation

/// One file of vectors.
struct VectorFile<Vector> {
  /// What the vectors are and how to read their fields.
  var about: String
  var vectors: [Vector]
}

extension VectorFile: Encodable where Vector: Encodable {}
extension VectorFile: Decodable where Vector: Decodable {}

/// Why the vectors do not hold. The description says where and what to do.
public enum FixtureError: Error, CustomStringConvertible {
  case missing(file: String)
  case different(file: String, line: Int, recorded: String, now: String)

  public var description: String {
    switch self {
    case .missing(let file):
      "\(file) is missing; record it with AJIT_RECORD_FIXTURES=1"
    case .different(let file, let line, let recorded, let now):
      """
      \(file):\(line) no longer holds: the bytes on the wire have changed
        recorded: \(recorded)
        now:      \(now)
      If that is meant, raise the version of what changed and record again with AJIT_RECORD_FIXTURES=1.
      """
    }
  }
}

public enum Fixtures {
  /// `Tests/Fixtures`, found from where this file was compiled.
  public static let directory = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures")

  public static var isRecording: Bool { ProcessInfo.processInfo.environment["AJIT_RECORD_FIXTURES"] == "1" }

  /// Compares vectors with the file of that name, or writes it when recording.
  public static func check<Vector: Encodable>(_ name: String, about: String, _ vectors: [Vector]) throws {
    let url = directory.appending(path: "\(name).json")
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let data = try encoder.encode(VectorFile(about: about, vectors: vectors))
    let now = String(decoding: data, as: UTF8.self) + "\n"
    if isRecording {
      try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
      try Data(now.utf8).write(to: url, options: .atomic)
      return
    }
    guard let recordedData = try? Data(contentsOf: url) else { throw FixtureError.missing(file: "\(name).json") }
    let recorded = String(decoding: recordedData, as: UTF8.self)
    guard recorded != now else { return }
    throw difference("\(name).json", recorded, now)
  }

  /// A file of text that says itself what should come of it, like the scenarios: read, worked on, and compared with
  /// what it says, or written when recording.
  public static func replay(_ file: String, _ work: (String) throws -> String) throws {
    let url = directory.appending(path: file)
    guard let data = try? Data(contentsOf: url) else { throw FixtureError.missing(file: file) }
    let recorded = String(decoding: data, as: UTF8.self)
    let now = try work(recorded)
    guard now != recorded else { return }
    if isRecording { return try Data(now.utf8).write(to: url, options: .atomic) }
    throw difference(file, recorded, now)
  }

  private static func difference(_ file: String, _ recorded: String, _ now: String) -> FixtureError {
    let recordedLines = recorded.split(separator: "\n", omittingEmptySubsequences: false)
    let lines = now.split(separator: "\n", omittingEmptySubsequences: false)
    let line = zip(recordedLines, lines).enumerated().first { $0.element.0 != $0.element.1 }?.offset
    let index = line ?? min(recordedLines.count, lines.count)
    return .different(
      file: file, line: index + 1,
      recorded: index < recordedLines.count ? String(recordedLines[index]) : "(end of file)",
      now: index < lines.count ? String(lines[index]) : "(end of file)")
  }

  /// The vectors recorded under a name, for tests that read what was written by an earlier version.
  public static func load<Vector: Decodable>(_ name: String, as type: Vector.Type) throws -> [Vector] {
    let data = try Data(contentsOf: directory.appending(path: "\(name).json"))
    return try JSONDecoder().decode(VectorFile<Vector>.self, from: data).vectors
  }
}
