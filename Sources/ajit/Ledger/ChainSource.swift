import Foundation
import Ledger
import Messages
import Node
import Wire

/// A ledger somebody hands over: a data directory, or a file that `ajit ledger export` wrote. A file is the genesis and
/// then every segment in order, each behind its length in 8 bytes, big-endian.
struct ChainSource {
  let path: String
  let genesis: Genesis
  private let storage: Storage

  private enum Storage {
    case log(BlockLog)
    case file([UInt8], start: Int)
  }

  /// What a segment may be at most, bytes: as much as a message on the wire.
  private static let maximumSegmentBytes = 16 << 20

  /// - Parameter member: whose copy, of a data directory; the one that has come furthest if nil.
  init(_ path: String, member: String? = nil) throws {
    self.path = path
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
      throw CommandFailure(.missingInput, "\(path) does not exist")
    }
    if isDirectory.boolValue {
      let consortium = try StoredConsortium.read(path)
      genesis = consortium.genesis
      let named = consortium.blockLogs.first { $0.member == member }
      guard let log = try named.map({ try BlockLog(member: $0.member, path: $0.path) }) ?? consortium.longestLog()
      else { throw CommandFailure(.missingInput, "\(path): no member's ledger is here") }
      storage = .log(log)
    } else {
      guard let data = FileManager.default.contents(atPath: path) else {
        throw CommandFailure(.missingInput, "\(path) cannot be read")
      }
      let bytes = [UInt8](data)
      guard let first = Self.frame(bytes, at: 0), let genesis = try? Genesis(decoding: Array(first)) else {
        throw CommandFailure(.badData, "\(path) is no exported ledger")
      }
      self.genesis = genesis
      storage = .file(bytes, start: first.endIndex)
    }
  }

  func forEachSegment(_ visit: (LedgerSegment) throws -> Void) throws {
    switch storage {
    case .log(let log):
      try log.forEachSegment { segment in
        try visit(segment)
        return true
      }
    case .file(let bytes, var position):
      while position < bytes.count {
        guard let frame = Self.frame(bytes, at: position), let segment = try? LedgerSegment(decoding: Array(frame))
        else { throw CommandFailure(.badData, "\(path) is damaged at byte \(position)") }
        try visit(segment)
        position = frame.endIndex
      }
    }
  }

  /// Writes it all to a file.
  func export(to target: String) throws -> Height {
    guard FileManager.default.createFile(atPath: target, contents: nil),
      let handle = FileHandle(forWritingAtPath: target)
    else { throw CommandFailure(.inputOutput, "\(target) cannot be written") }
    var height: Height = 0
    try handle.write(contentsOf: Self.framed(genesis.encoded))
    try forEachSegment { segment in
      try handle.write(contentsOf: Self.framed(segment.encoded))
      height = segment.blocks.last?.header.height ?? height
    }
    try handle.close()
    return height
  }

  private static func framed(_ bytes: [UInt8]) -> Data {
    let count = UInt64(bytes.count)
    return Data(stride(from: UInt64(56), through: 0, by: -8).map { UInt8(truncatingIfNeeded: count >> $0) } + bytes)
  }

  private static func frame(_ bytes: [UInt8], at position: Int) -> ArraySlice<UInt8>? {
    guard position + 8 <= bytes.count else { return nil }
    let count = bytes[position..<position + 8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard count <= UInt64(maximumSegmentBytes), position + 8 + Int(count) <= bytes.count else { return nil }
    return bytes[position + 8..<position + 8 + Int(count)]
  }
}
