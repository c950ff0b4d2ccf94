import Ledger
import Messages
import Roles
import Signing
import Storage
import Wire

/// The snapshot on a member's disk, from which it would start: what a ledger whose early blocks were deleted is read
/// from.
struct StoredSnapshot {
  let manifest: SnapshotManifest
  let state: LedgerState

  var height: Height { manifest.height }
  var header: BlockHeader { manifest.header }
}

extension BlockLog {
  /// Pieces held in memory at a time.
  private static var pieceBatch: Int { 16 }

  /// Every piece is proved against the state root of the snapshot's header. That the header is final, its certificate
  /// says (``SnapshotManifest``), which is for the caller to verify.
  /// - Returns: nil while there is none.
  /// - Throws: a ``LedgerProblem`` when it is not what its header says.
  func snapshot(_ genesis: Genesis) throws -> StoredSnapshot? {
    typealias Stream = ValidatorCore.Stream
    guard let height = try reader.lastKey(stream: Stream.snapshots),
      let record = try reader.records(stream: Stream.snapshots, from: height, limit: 1).first
    else { return nil }
    func problem(_ text: String) -> LedgerProblem { LedgerProblem(member: member, height: height, text) }
    let manifest: SnapshotManifest
    do throws(WireError) { manifest = try SnapshotManifest(decoding: record.bytes) } catch {
      throw problem("the snapshot's manifest is damaged: \(Wording.fault(error))")
    }
    guard manifest.height == height else { throw problem("another snapshot is stored under this height") }
    var assembly = SnapshotAssembly(manifest)
    var key = ValidatorCore.pieceKey(height)
    while assembly.next != nil {
      let pieces = try reader.records(stream: Stream.pieces, from: key, limit: Self.pieceBatch)
        .filter { $0.key < ValidatorCore.pieceKey(height + 1) }
      guard let last = pieces.last else { throw problem("pieces of the snapshot are missing") }
      for piece in pieces {
        do { try assembly.take(SnapshotChunk(decoding: piece.bytes)) } catch {
          throw problem("the snapshot is not the state that its header names: \(Wording.fault(error))")
        }
      }
      key = last.key + 1
    }
    do throws(SnapshotError) {
      return StoredSnapshot(manifest: manifest, state: try assembly.state(genesis: genesis))
    } catch {
      throw problem("the snapshot is no state of this ledger: \(Wording.fault(error))")
    }
  }

  /// Of the first block that is still here; nil for an empty log.
  func firstHeight() throws -> Height? {
    var first: Height?
    try forEachSegment { segment in
      first = segment.blocks[0].header.height
      return false
    }
    return first
  }
}
