/// Mistakes that this module could have made, one at a time, to show that the checkers see each of them (R3 of the
/// invariants). A check that never fails is not one.
///
/// No code of this package sets ``ConsensusConfiguration/planted``. It is internal, so only a test that was compiled to
/// look inside this module (`@testable`) can name it; nodes are built without that, and nothing that a node reads, from
/// a file or from the bus, leads here.
enum PlantedDefect: CaseIterable, Sendable {
  /// q = 2f + 1, which is fewer than q whenever n ≠ 3f + 1.
  case quorumOf2fPlus1
  /// A certificate is made of q − 1 votes.
  case certificateOneShort
  /// Replay restores the own votes, and does not count them (trap 3).
  case ownVotesNotCountedAgain
  /// A leader builds on the final block whatever was certified after it, and nobody asks for the nullifications.
  case gapWithoutNullification
  case finalizesAfterNullify
  /// Finalizes what a quorum notarized, whatever it notarized itself (trap 11).
  case finalizesAnotherBlock
  /// The latest proposal of a view counts, not the first.
  case notarizesEveryProposal
  /// A restarted member begins at view 1, and knows no mark below which it signs nothing.
  case signsBelowTheMark
  case blockTimeUnchecked
  /// What was lost is never said again.
  case neverRepeats
  /// A leader that was silent for long is waited for all the same.
  case neverSkips
}
