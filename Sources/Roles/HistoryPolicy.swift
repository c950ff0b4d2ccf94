import Messages
import Signing

/// How much of the past a validator keeps, and what it takes on trust of it.
public struct HistoryPolicy: Hashable, Sendable {
  /// Snapshots are of the heights that are multiples of this: all members serve the same ones, so that a download goes
  /// on at another member.
  public var snapshotInterval: Height
  /// Entries in one piece of a snapshot, at most.
  public var pieceEntries: Int
  /// Blocks below the last snapshot that stay readable, so that what members signed in them can still be shown to
  /// whoever judges it (the evidence horizon). Below that blocks are deleted; what ended in them stays, as the leaves
  /// of the ledger's archive.
  public var evidenceHorizon: Height
  /// A final block that is known from elsewhere. A chain with another block there is not this network's, whatever
  /// signatures it has.
  public var checkpoint: Checkpoint?

  public struct Checkpoint: Hashable, Sendable {
    public let height: Height
    public let hash: Digest

    public init(height: Height, hash: Digest) {
      self.height = height
      self.hash = hash
    }
  }

  public init(
    snapshotInterval: Height = 1024, pieceEntries: Int = SnapshotChunk.maximumEntries,
    evidenceHorizon: Height = 1 << 20, checkpoint: Checkpoint? = nil
  ) {
    self.snapshotInterval = max(1, snapshotInterval)
    self.pieceEntries = min(max(1, pieceEntries), SnapshotChunk.maximumEntries)
    self.evidenceHorizon = evidenceHorizon
    self.checkpoint = checkpoint
  }

  /// A snapshot is worth its download when it saves so many blocks. So many below a snapshot are never deleted: whoever
  /// is not that far behind finds them.
  var worthwhile: Height { max(1, snapshotInterval / 2) }

  /// The first block that stays readable once there is a snapshot of this height.
  func firstKept(below snapshot: Height) -> Height {
    let kept = max(evidenceHorizon, worthwhile)
    return snapshot >= kept ? snapshot - kept + 1 : 0
  }
}
