import Effects
import Effects
import Ledger
import Messages
import Signing

/// A snapshot on its way here, one piece at a time: what a download of any size has under way is one piece. Every piece
/// is proved before it is kept, so a member that lies costs one piece and the next one is asked; whatever was taken is
/// durable, so a restart goes on where it was.
struct SnapshotDownload: Sendable {
  /// Refusals, lies and silences in a row, per member there is, after which it is given up: the others have gone on to
  /// later snapshots, one of which is then begun.
  static let maximumRounds = 3

  private(set) var assembly: SnapshotAssembly
  /// Pieces taken.
  private(set) var count: UInt64 = 0
  /// Whom to ask, by position among the members.
  private(set) var source: Int
  private(set) var pending: RequestID?
  private var failures = 0
  private var backoff = Backoff()

  init(_ manifest: SnapshotManifest, source: Int) {
    assembly = SnapshotAssembly(manifest)
    self.source = source
  }

  var manifest: SnapshotManifest { assembly.manifest }
  var isComplete: Bool { assembly.next == nil }

  mutating func asked(_ id: RequestID) { pending = id }

  mutating func take(_ piece: SnapshotChunk) throws(SnapshotError) {
    try assembly.take(piece)
    count += 1
    failures = 0
    backoff.succeeded()
  }

  /// - Returns: how long to wait before another is asked; nil to give up.
  mutating func failed(of members: Int) -> Span? {
    pending = nil
    source += 1
    failures += 1
    guard failures < Self.maximumRounds * max(1, members) else { return nil }
    return backoff.failed()
  }

  mutating func answered() { pending = nil }
}
