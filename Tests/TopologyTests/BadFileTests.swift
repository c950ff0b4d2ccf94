import Foundation
import Testing
import Topology

/// The table of bad files: each `bad/NAME.yaml` is refused with exactly the lines of `bad/NAME.expected`. Record them
/// anew with `AJIT_RECORD=1 ops/test BadFileTests`, and read the difference before committing it. The schema is held
/// against the same table in Tests/Interop/test_schema.py.
@Suite struct BadFileTests {
  static let folder = Files.fixtures.appending(path: "bad")

  @Test(arguments: try Files.names(in: folder, ending: ".yaml"))
  func isRefusedAsExpected(_ name: String) throws {
    let bytes = try Files.bytes(Self.folder.appending(path: "\(name).yaml"))
    let found = complaints(about: bytes)
    #expect(throws: TopologyRefused.self) { try TopologyParser.parse(bytes, file: name) }
    let expected = Self.folder.appending(path: "\(name).expected")
    let text = found.map { $0 + "\n" }.joined()
    if ProcessInfo.processInfo.environment["AJIT_RECORD"] != nil {
      try text.write(to: expected, atomically: true, encoding: .utf8)
    }
    #expect(text == String(decoding: try Files.bytes(expected), as: UTF8.self))
  }

  @Test func everyExpectationHasItsFile() throws {
    let files = try Files.names(in: Self.folder, ending: ".yaml")
    #expect(try Files.names(in: Self.folder, ending: ".expected") == files)
    #expect(files.count >= 30)
  }
}
