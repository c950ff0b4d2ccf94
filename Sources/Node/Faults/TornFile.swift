import Foundation

/// What a process leaves behind that died in the middle of a write: at the end of each write-ahead log of its stores a
/// part of a frame that was never finished. SQLite finds frames by their checksums, so recovery must end before it.
enum TornFile {
  /// Of a frame: its header of 24 bytes and the beginning of a page (sqlite.org/fileformat2.html §4.1).
  private static let bytes = 1_000
  /// Files looked at in one data directory.
  private static let maximumFiles = 65_536

  /// - Returns: how many logs there were.
  @discardableResult static func tear(inside directory: String) -> Int {
    guard let files = FileManager.default.enumerator(atPath: directory) else { return 0 }
    var torn = 0
    for case let name as String in files.prefix(maximumFiles) where name.hasSuffix(".sqlite-wal") {
      guard let file = FileHandle(forWritingAtPath: "\(directory)/\(name)") else { continue }
      defer { try? file.close() }
      let end = (try? file.seekToEnd()) ?? 0
      // An empty log has no header yet, and so nothing was being written behind it.
      guard end > 0 else { continue }
      let piece = (0..<bytes).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ Int(end)) }
      if (try? file.write(contentsOf: piece)) != nil { torn += 1 }
    }
    return torn
  }
}
