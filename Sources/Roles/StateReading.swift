import Ledger
import Messages
import Signing

/// Answers about the ledger that need no trust: entries of the state after the last final block, with that block's
/// header, the quorum's certificate of it and the proof that these entries are all there are in the range.
struct StateReading: Sendable {
  /// Answered within one second; more are refused, and ask another member. Each costs a walk over the range and hashes.
  static let answersPerSecond = 64
  /// Answers given since the second began.
  private var answers = 0
  private var second = Instant.zero
  /// Of the state that is read.
  private var block: (header: BlockHeader, finalization: Certificate)?

  /// - Parameter segment: its last block's state is what is read from now on.
  mutating func finalized(_ segment: LedgerSegment) {
    if let header = segment.blocks.last?.header { block = (header, segment.finalization) }
  }

  /// The state of a snapshot is read if its own block was finalized; otherwise the next one's.
  mutating func joined(_ manifest: SnapshotManifest) {
    block = manifest.headers.count == 1 ? (manifest.header, manifest.finalization) : nil
  }

  /// - Parameter state: after the last finalized segment.
  mutating func answer(
    _ request: EntriesRequest, from state: LedgerState, at now: Instant
  ) throws(RemoteError) -> ProvenEntries {
    guard let block else { throw RemoteError(.unavailable, "no block is final yet") }
    guard request.from.lexicographicallyPrecedes(request.before) else {
      throw RemoteError(.invalidArgument, "an empty range")
    }
    if now >= second + .seconds(1) { (second, answers) = (now, 0) }
    guard answers < Self.answersPerSecond else {
      throw RemoteError(.tooManyRequests, "\(Self.answersPerSecond) reads a second are answered here: ask another")
    }
    answers += 1
    return state.entries(request, header: block.header, finalization: block.finalization)
  }
}
