import Foundation
import Testing
import Topology

/// Bytes that are out to hurt: each is refused, at a place, in time that its length bounds.
@Suite struct HostileFileTests {
  @Test func tooLargeIsRefusedUnread() {
    let bytes = [UInt8](repeating: UInt8(ascii: "["), count: TopologyParser.maximumFileBytes + 1)
    #expect(
      complaints(about: bytes) == ["1:1: error: the file has 1048577 bytes, more than 1048576; split the topology"])
  }

  @Test(arguments: ["[", "- ", "{a: ", "? "])
  func depthIsBounded(_ opening: String) {
    let text = String(repeating: opening, count: TopologyParser.maximumFileBytes / opening.utf8.count)
    #expect(!complaints(about: text).isEmpty)
    let shallow = String(repeating: "[", count: 100) + String(repeating: "]", count: 100)
    #expect(complaints(about: shallow).contains { $0.contains("levels inside one another") })
  }

  /// "Billion laughs", the ordinary one and the one that hides in keys, where composing alone would take for ever.
  @Test func aliasBombsDoNotGoOff() {
    var lists = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    var keys = "? &k0 [x, x]\n: 1\n"
    for level in 1...40 {
      lists +=
        "a\(level): &a\(level) [" + [String](repeating: "*a\(level - 1)", count: 10).joined(separator: ", ") + "]\n"
      keys += "? &k\(level) [*k\(level - 1), *k\(level - 1)]\n: 1\n"
    }
    #expect(
      complaints(about: lists).contains("1:5: error: anchors (&) are not used in topologies; write the value out"))
    #expect(!complaints(about: keys).isEmpty)
  }

  @Test func asterisksInTextAreOnlyText() throws {
    let text = try Files.minimal().replacing(
      once: "name: minimal", by: "name: minimal\ndescription: \"a *b* c\" # *not an alias")
    let file = try TopologyParser.parse(Array(text.utf8), file: "f")
    #expect(file.topology.description == "a *b* c")
    let plain = try Files.minimal().replacing(once: "name: minimal", by: "name: minimal\ndescription: 2 * 3")
    #expect(try TopologyParser.parse(Array(plain.utf8), file: "f").topology.description == "2 * 3")
  }

  /// However many keys are given twice, reading ends, and each of the first few is told.
  @Test func repeatedKeysAreAllToldAndBounded() {
    let text = (0..<200).map { "k\($0): 1\nk\($0): 2\n" }.joined()
    let found = complaints(about: text)
    #expect(!found.isEmpty && found.allSatisfy { $0.contains("keep one") || $0.contains("given more than once") })
  }

  @Test func sameKeyThreeTimes() {
    let found = complaints(about: "version: 1\nversion: 1\nversion: 1\n")
    #expect(found.contains("2:1: error: 'version' is given twice, before in line 1; keep one"))
    #expect(found.contains("3:1: error: 'version' is given twice, before in line 2; keep one"))
  }

  @Test func quotedAndPlainSpellingsAreOneKey() {
    #expect(
      complaints(about: "version: 1\n\"version\": 1\n").contains {
        $0.hasPrefix("2:1: error: 'version' is given twice")
      })
  }

  @Test func bytesThatAreNoText() {
    #expect(complaints(about: [0xFF, 0xFE, 0x00]) == ["1:1: error: the file is not UTF-8; save it as UTF-8"])
    #expect(complaints(about: "name: a\nseed: \u{7}\n").first?.hasPrefix("2:7: error: not YAML: ") == true)
    #expect(complaints(about: "name: \u{E000}") == ["1:7: error: private-use character; remove it"])
    #expect(complaints(about: []) == ["1:1: error: the file is empty; begin with 'version: 1'"])
  }

  @Test func lineEndingsAndByteOrderMarkDoNotMoveErrors() throws {
    let text = try Files.minimal().replacing(once: "version: 1", by: "version: 3")
    let windows = text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")
    #expect(complaints(about: windows) == complaints(about: text))
    #expect(complaints(about: text).first?.hasPrefix("2:10: ") == true)
    #expect(complaints(about: "\u{FEFF}" + text) == complaints(about: text))
  }

  @Test func complaintsAreBounded() {
    let text = (0..<5_000).map { "k\($0): 1\n" }.joined()
    #expect(complaints(about: text).count == 200)
  }

  /// The parser answers every mutilation of a good file with a topology or with places; it never traps.
  @Test(arguments: 0..<8 as Range<UInt64>)
  func survivesRandomEdits(seed: UInt64) throws {
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    func next(_ bound: Int) -> Int {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return Int(state % UInt64(bound))
    }
    let original = Array(try Files.minimal().utf8)
    let splinters = [
      "0", "99999999999999999999", "-1", "\"", "'", "{", "]", ": ", "- ", "\n", "&a ", "*a", "1e99", "0s", "~", "|",
      "%",
    ]
    for _ in 0..<60 {
      var bytes = original
      for _ in 0...next(3) {
        let start = next(bytes.count)
        let end = min(bytes.count, start + next(12))
        bytes.replaceSubrange(start..<end, with: splinters[next(splinters.count)].utf8)
      }
      do throws(TopologyRefused) {
        _ = try TopologyParser.parse(bytes, file: "f")
      } catch {
        #expect(error.diagnostics.contains { $0.severity == .error })
        #expect(error.diagnostics.allSatisfy { $0.line >= 1 && $0.column >= 1 })
      }
    }
  }
}
