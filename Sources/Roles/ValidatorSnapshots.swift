import Effects
import Ledger
import Messages
import Signing

/// A state that can be served: a value copy, which shares all that did not change since with the live one.
struct Snapshot: Sendable {
  let manifest: SnapshotManifest
  let state: LedgerState

  var height: Height { manifest.height }
}

/// A snapshot on its way to the disk, a piece per timer: a state of any size never holds up a turn.
struct SnapshotWriting: Sendable {
  let snapshot: Snapshot
  /// First key of the next piece.
  var next: [UInt8] = []
  /// Pieces written.
  var count: UInt64 = 0
}

/// Snapshots: taken at stated heights, written piece by piece, served to whoever joins; then the past is let go.
extension ValidatorCore {
  /// Between two pieces on their way to the disk: 256 KiB of 13 MB a second.
  static let pieceInterval = Span.milliseconds(20)
  /// Snapshots served: a download that began with the last but one may end.
  static let servedSnapshots = 2
  /// Pieces served within one second, to everybody; more are refused, and asked of another member. Up to 16 MiB.
  static let piecesPerSecond = 64

  /// Keys of a snapshot's pieces: 2²⁰ pieces of 256 KiB.
  public static func pieceKey(_ height: Height, _ index: UInt64 = 0) -> UInt64 { height << 20 | index }

  // MARK: Taking

  /// A segment became final: if a snapshot is due at one of its blocks, its writing begins.
  mutating func takeSnapshot(of segment: LedgerSegment, _ turn: inout Turn) {
    let interval = configuration.history.snapshotInterval
    guard let index = segment.blocks.lastIndex(where: { $0.header.height.isMultiple(of: interval) }) else { return }
    let height = segment.blocks[index].header.height
    guard writing == nil, download == nil,
      // How an era ends, its last block says to those who execute it, and its certificate may be a later view's.
      segment.nextEra == nil || index < segment.blocks.count - 1,
      let state = executions.recent.entries.last(where: { $0.header.height == height })?.state,
      let last = segment.blocks.last,
      segment.finalization.ballot == .finalize(last.header.proposition(hash: last.hash))
    else { return turn.count("validator.snapshotSkipped") }
    let manifest = SnapshotManifest(
      headers: segment.blocks[index...].map(\.header), finalization: segment.finalization, entries: state.entryCount,
      history: boundaries.filter { $0.finalization.era < last.header.era })
    writing = SnapshotWriting(snapshot: Snapshot(manifest: manifest, state: state))
    turn.add(.setTimer(TimerID(Purpose.snapshot), at: turn.now + Self.pieceInterval))
  }

  private func piece(of snapshot: Snapshot, from: [UInt8]) -> SnapshotChunk {
    snapshot.state.snapshotChunk(from: from, maximumEntries: configuration.history.pieceEntries)
  }

  mutating func writePiece(_ turn: inout Turn) {
    guard var current = writing else { return }
    let height = current.snapshot.height
    let piece = piece(of: current.snapshot, from: current.next)
    turn.add(
      .persist(.put(stream: Stream.pieces, key: Self.pieceKey(height, current.count), bytes: piece.encoded)))
    current.count += 1
    current.next = piece.before
    if piece.before == SnapshotChunk.end {
      writing = nil
      completed(current.snapshot, &turn)
    } else {
      writing = current
      turn.add(.setTimer(TimerID(Purpose.snapshot), at: turn.now + Self.pieceInterval))
    }
  }

  /// All pieces are written: from here this member can start, and what is older than the horizon goes.
  private mutating func completed(_ snapshot: Snapshot, _ turn: inout Turn) {
    keep(snapshot, &turn)
    turn.add(.persist(.retire(stream: Stream.segments, below: snapshot.height + 1)))
    turn.add(
      .persist(.prune(stream: Stream.segments, below: configuration.history.firstKept(below: snapshot.height))))
  }

  /// Makes a snapshot the one that the next life starts from.
  mutating func keep(_ snapshot: Snapshot, _ turn: inout Turn) {
    let height = snapshot.height
    turn.add(.persist(.put(stream: Stream.snapshots, key: height, bytes: snapshot.manifest.encoded)))
    turn.add(.persist(.prune(stream: Stream.snapshots, below: height)))
    turn.add(.persist(.prune(stream: Stream.pieces, below: Self.pieceKey(height))))
    served = Array((served + [snapshot]).suffix(Self.servedSnapshots))
    turn.note("snapshot of height \(height): \(snapshot.manifest.entries) entries")
  }

  /// What ended and left the state stays provable: the ledger's archive commits to it, and these are its leaves.
  mutating func archive(_ ended: [ArchivedActivation], _ turn: inout Turn) {
    guard let last = ended.last else { return }
    for activation in ended {
      turn.add(.persist(.put(stream: Stream.archive, key: activation.index, bytes: activation.leaf)))
    }
    turn.add(.persist(.retire(stream: Stream.archive, below: last.index + 1)))
  }

  // MARK: Serving

  mutating func answer(_ token: ReplyToken, _ request: SnapshotRequest, _ turn: inout Turn) {
    let snapshot = request.height.map { height in served.last { $0.height == height } } ?? served.last
    guard let snapshot else { return turn.refuse(token, .notFound, "no such snapshot here") }
    turn.add(.reply(token, .snapshot(snapshot.manifest)))
  }

  mutating func answer(_ token: ReplyToken, _ request: SnapshotChunkRequest, _ turn: inout Turn) {
    guard let snapshot = served.last(where: { $0.height == request.height }) else {
      return turn.refuse(token, .notFound, "no such snapshot here")
    }
    guard request.from.lexicographicallyPrecedes(SnapshotChunk.end) else {
      return turn.refuse(token, .invalidArgument, "an empty range")
    }
    if turn.now >= piecesSince + .seconds(1) { (piecesSince, piecesServed) = (turn.now, 0) }
    guard piecesServed < Self.piecesPerSecond else {
      return turn.refuse(
        token, .tooManyRequests, "\(Self.piecesPerSecond) pieces a second are served here: ask another")
    }
    piecesServed += 1
    turn.add(.reply(token, .snapshotChunk(piece(of: snapshot, from: request.from))))
  }
}
