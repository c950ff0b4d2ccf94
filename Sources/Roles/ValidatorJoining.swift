import Consensus
import Effects
import Ledger
import Messages
import Signing

/// A member that is far behind, or new, begins from a snapshot: nobody types a trusted height. A quorum of the members
/// of its era vouches for it, whom a quorum of the era before voted in, and so on from the genesis.
extension ValidatorCore {
  /// Between two questions for snapshots while this member catches up.
  static let inquiryInterval = Span.seconds(5)
  static let pieceDeadline = Span.seconds(10)

  /// Consensus asks this member for blocks: is it far behind?
  mutating func inquire(_ member: ActorAddress, _ turn: inout Turn) {
    guard download == nil, inquiry == nil, turn.now >= inquiredAt + Self.inquiryInterval else { return }
    inquiredAt = turn.now
    let id = numbers.next()
    inquiry = (id, member)
    turn.add(.request(id, to: member, .getSnapshot(SnapshotRequest(height: nil)), deadline: Self.sendDeadline))
  }

  /// - Returns: false when the answer is not to a question about snapshots.
  mutating func joined(
    by id: RequestID, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) -> Bool {
    if let inquiry, inquiry.id == id {
      self.inquiry = nil
      if case .success(let message) = result, case .snapshot(let manifest) = message.value {
        consider(manifest, from: inquiry.member, &turn)
      }
      return true
    }
    guard download?.pending == id else { return false }
    download?.answered()
    if case .success(let message) = result, case .snapshotChunk(let piece) = message.value {
      take(piece, &turn)
    } else {
      askAnother(&turn)
    }
    return true
  }

  /// Whether a snapshot is worth its download. Its certificate was verified when it came.
  private mutating func consider(_ manifest: SnapshotManifest, from member: ActorAddress, _ turn: inout Turn) {
    guard download == nil, manifest.height >= executions.final.height + configuration.history.worthwhile else { return }
    if let checkpoint = configuration.history.checkpoint, manifest.height >= checkpoint.height {
      let stated = manifest.headers.first { $0.height == checkpoint.height }?.hash
      guard stated == checkpoint.hash else {
        // Beyond it the blocks say whether they descend from it.
        return turn.note("the snapshot of height \(manifest.height) does not show the checkpoint: not used", .warning)
      }
    }
    let source = members.firstIndex(of: member) ?? 0
    download = SnapshotDownload(manifest, source: source)
    writing = nil
    turn.add(.cancelTimer(TimerID(Purpose.snapshot)))
    turn.add(.persist(.put(stream: Stream.download, key: 0, bytes: manifest.encoded)))
    turn.note("\(manifest.height - executions.final.height) blocks behind: begins from a snapshot")
    askForPiece(&turn)
  }

  mutating func askForPiece(_ turn: inout Turn) {
    guard var current = download, let from = current.assembly.next else { return }
    let others = members.filter { $0 != address }
    guard !others.isEmpty else { return }
    let id = numbers.next()
    current.asked(id)
    download = current
    let request = SnapshotChunkRequest(height: current.manifest.height, from: from)
    turn.add(
      .request(
        id, to: others[current.source % others.count], .getSnapshotChunk(request), deadline: Self.pieceDeadline))
  }

  private mutating func take(_ piece: SnapshotChunk, _ turn: inout Turn) {
    guard var current = download else { return }
    do throws(SnapshotError) {
      try current.take(piece)
    } catch {
      turn.count("validator.snapshotPieceRefused")
      return askAnother(&turn)
    }
    download = current
    let key = Self.pieceKey(current.manifest.height, current.count - 1)
    turn.add(.persist(.put(stream: Stream.pieces, key: key, bytes: piece.encoded)))
    if current.isComplete { install(current, &turn) } else { askForPiece(&turn) }
  }

  private mutating func askAnother(_ turn: inout Turn) {
    guard let pause = download?.failed(of: members.count) else { return giveUp(&turn) }
    turn.add(.setTimer(TimerID(Purpose.download), at: turn.now + pause))
  }

  private mutating func giveUp(_ turn: inout Turn) {
    download = nil
    turn.add(.persist(.prune(stream: Stream.download, below: .max)))
    turn.note("nobody serves this snapshot any more: looks for another", .warning)
  }

  /// The state is whole: the ledger here goes on from it. What is below was never executed here, and goes.
  private mutating func install(_ download: SnapshotDownload, _ turn: inout Turn) {
    let manifest = download.manifest
    let snapshot: Snapshot
    do throws(SnapshotError) {
      snapshot = Snapshot(manifest: manifest, state: try download.assembly.state(genesis: configuration.genesis))
    } catch {
      turn.note("the snapshot of height \(manifest.height) is no state of this ledger: \(error)", .warning)
      return giveUp(&turn)
    }
    self.download = nil
    turn.add(.persist(.prune(stream: Stream.download, below: .max)))
    // Blocks may have come meanwhile.
    guard manifest.height > executions.final.height else { return }
    keep(snapshot, &turn)
    turn.add(.persist(.prune(stream: Stream.segments, below: manifest.height + 1)))
    for segment in manifest.history.dropFirst(boundaries.count) { keepBoundary(segment, &turn) }
    executions = Executions(at: manifest.header.hash, snapshot.state)
    begin(snapshot.state.era, &turn)
    for era in snapshot.state.eras.dropFirst() { turn.add(.recognise(era)) }
    reading.joined(manifest)
    finalView = manifest.header.view
    turn.note(Self.assumption(manifest))
    drive(.adopted(manifest.header, manifest.finalization, snapshot.state.era), &turn)
  }

  /// An era ended here: how, stays known, so that whoever joins later can be shown who voted in whom.
  mutating func keepBoundary(_ segment: LedgerSegment, _ turn: inout Turn) {
    guard let next = segment.nextEra, let last = segment.blocks.last else { return }
    let boundary = LedgerSegment(blocks: [last], finalization: segment.finalization)
    boundaries.append(boundary)
    turn.add(.persist(.put(stream: Stream.boundaries, key: next.era, bytes: boundary.encoded)))
  }

  static func assumption(_ manifest: SnapshotManifest) -> String {
    "joined from the snapshot of height \(manifest.height), block \(manifest.header.hash), certified by a quorum of era"
      + " \(manifest.header.era); this assumes that no quorum of keys of an era up to then has leaked. A block known"
      + " from elsewhere narrows that: --checkpoint HEIGHT:HASH"
  }
}
