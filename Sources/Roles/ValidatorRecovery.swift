import Consensus
import Effects
import Ledger
import Messages
import Signing
import Wire

/// What a validator's durable records come to: where its ledger stands, and what it said.
struct ValidatorRecovery: Sendable {
  var journal: [ConsensusRecord] = []
  var segments: [LedgerSegment] = []
  var boundaries: [LedgerSegment] = []
  var recollection = Recollection.complete
  /// The state that execution goes on from; nil for the genesis'.
  var snapshot: Snapshot?
  /// One that was interrupted.
  var download: SnapshotDownload?
  /// Evidence and promises, for who keeps them.
  var kept: [StoredRecord] = []

  /// - Throws: when a record is damaged: the directory was altered.
  init(_ records: [StoredRecord], genesis: Genesis) throws {
    var manifest: SnapshotManifest?
    var unfinished: SnapshotManifest?
    var pieces: [StoredRecord] = []
    for record in records {
      switch record.stream {
      case ValidatorCore.Stream.journal: journal.append(try ConsensusRecord(decoding: record.bytes))
      case ValidatorCore.Stream.segments: segments.append(try LedgerSegment(decoding: record.bytes))
      case ValidatorCore.Stream.snapshots: manifest = try SnapshotManifest(decoding: record.bytes)
      case ValidatorCore.Stream.pieces: pieces.append(record)
      case ValidatorCore.Stream.download: unfinished = try SnapshotManifest(decoding: record.bytes)
      case ValidatorCore.Stream.boundaries: boundaries.append(try LedgerSegment(decoding: record.bytes))
      case ValidatorCore.Stream.recollection: recollection = try Recollection(decoding: record.bytes)
      case ValidatorCore.Stream.archive: break
      default: kept.append(record)
      }
    }
    if let manifest {
      var assembly = SnapshotAssembly(manifest)
      for piece in try Self.pieces(of: manifest.height, among: pieces) where assembly.next != nil {
        try assembly.take(piece)
      }
      snapshot = Snapshot(manifest: manifest, state: try assembly.state(genesis: genesis))
    }
    if let unfinished, unfinished.height > manifest?.height ?? 0 {
      var download = SnapshotDownload(unfinished, source: 0)
      for piece in try Self.pieces(of: unfinished.height, among: pieces) {
        // What an own, unfinished snapshot of this height left behind is as good.
        do throws(SnapshotError) { try download.take(piece) } catch { break }
      }
      self.download = download.isComplete ? nil : download
    }
  }

  /// The ledger where the records leave it: from the snapshot, or else from the genesis, block by block.
  func executions(_ genesis: Genesis) throws -> Executions {
    var executions = try Executions(genesis: genesis)
    if let snapshot { executions = Executions(at: snapshot.manifest.header.hash, snapshot.state) }
    // Their leaves are in the archive already.
    var ended: [ArchivedActivation] = []
    for segment in segments {
      let blocks = segment.blocks.filter { $0.header.height > snapshot?.height ?? 0 }
      guard !blocks.isEmpty else { continue }
      let rest = LedgerSegment(blocks: blocks, finalization: segment.finalization)
      if let fault = executions.finalize(rest, ended: &ended) { throw HaltReason(fault) }
    }
    return executions
  }

  /// The last final block, and its finalization if that is at hand.
  var tip: (header: BlockHeader, finalization: Certificate?)? {
    if let last = segments.last, let header = last.blocks.last?.header, header.height > snapshot?.height ?? 0 {
      return (header, last.finalization)
    }
    guard let manifest = snapshot?.manifest else { return nil }
    return (manifest.header, manifest.headers.count == 1 ? manifest.finalization : nil)
  }

  private static func pieces(of height: Height, among records: [StoredRecord]) throws(WireError) -> [SnapshotChunk] {
    let keys = ValidatorCore.pieceKey(height)..<ValidatorCore.pieceKey(height + 1)
    var pieces: [SnapshotChunk] = []
    for record in records where keys.contains(record.key) { pieces.append(try SnapshotChunk(decoding: record.bytes)) }
    return pieces
  }
}

extension ValidatorCore {
  /// The record that a shell adds to a store that was put back from an old copy (``Recollection``).
  public static var putBack: Record {
    .put(stream: Stream.recollection, key: 0, bytes: Recollection.lost.encoded)
  }
}

/// On the wire `[]`, `[true]` where it is lost, or `[era, view]`.
extension Recollection: WireCodable {
  public func encode(to writer: inout CBORWriter) {
    switch self {
    case .complete: writer.array(0)
    case .lost:
      writer.array(1)
      writer.write(true)
    case .completeAbove(let era, let view):
      writer.array(2)
      writer.write(era)
      writer.write(view)
    }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.array(maximum: 2) { (reader, count) throws(WireError) in
      switch count {
      case 0: return .complete
      case 1:
        guard try reader.bool() else { throw .invalidValue(field: "recollection") }
        return .lost
      default: return .completeAbove(era: try reader.uint(), view: try reader.uint())
      }
    }
  }
}
