import Messages
import Roles
import Storage
import Wire

/// One member's final blocks as they lie on its disk, in order of height, a batch at a time.
struct BlockLog {
  let member: String
  let path: String
  let reader: SQLiteRecordReader

  /// Segments held in memory at a time.
  private static let batch = 64

  init(member: String, path: String) throws(StorageError) {
    self.member = member
    self.path = path
    reader = try SQLiteRecordReader(path: path)
  }

  /// Height of the last block; 0 for an empty log.
  func height() throws(StorageError) -> Height { try reader.lastKey(stream: ValidatorCore.Stream.segments) ?? 0 }

  /// Hands every segment to `visit`, which says whether to go on.
  /// - Throws: a ``LedgerProblem`` where a record is no segment or lies under another height than its last block's.
  func forEachSegment(through last: Height = .max, _ visit: (LedgerSegment) throws -> Bool) throws {
    var next: Height = 0
    while true {
      let records = try reader.records(stream: ValidatorCore.Stream.segments, from: next, limit: Self.batch)
      for record in records {
        guard record.key <= last else { return }
        let segment: LedgerSegment
        do throws(WireError) { segment = try LedgerSegment(decoding: record.bytes) } catch {
          throw LedgerProblem(
            member: member, height: record.key, "the stored bytes are no segment: \(Wording.fault(error))")
        }
        guard segment.blocks.last?.header.height == record.key else {
          throw LedgerProblem(member: member, height: record.key, "another block is stored under this height")
        }
        guard try visit(segment) else { return }
      }
      guard let reached = records.last?.key, records.count == Self.batch, reached < .max else { return }
      next = reached + 1
    }
  }
}

/// Something on a member's disk is not what this network agreed on.
struct LedgerProblem: Error, CustomStringConvertible {
  let member: String
  let height: Height
  let difference: String

  init(member: String, height: Height, _ difference: String) {
    self.member = member
    self.height = height
    self.difference = difference
  }

  var description: String {
    "\(member), height \(height): \(difference): do not trust this copy, restore it from another member"
  }
}
