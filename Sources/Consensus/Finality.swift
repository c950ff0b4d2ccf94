import Messages
import Signing

/// Making blocks final, in order of height, each once.
extension ConsensusCore {
  /// Commits the block of the highest finalization and its ancestors, if all of them are here.
  mutating func applyFinalization() {
    guard let certificate = unapplied, !isHalted else { return }
    guard certificate.view > finalized.view, let hash = certificate.ballot.proposition?.blockHash else {
      unapplied = nil
      return
    }
    switch tree.path(from: finalized.hash, to: hash) {
    case .failure(let missing):
      fetch(missing.hash, view: missing.view ?? certificate.view, from: nil, inHurry: false)
    case .success(let path):
      commit(LedgerSegment(blocks: path.map(\.block), finalization: certificate), hash: hash)
    }
  }

  /// Segments that a member ahead answered with. They prove themselves, so it does not matter who it was.
  mutating func receive(_ segments: [LedgerSegment], from sender: MemberIndex?) {
    let before = finalized.height
    for segment in segments {
      extend(by: segment)
      if isHalted { return }
    }
    // More of the same from whoever had some; otherwise the retry asks somebody else, if more is known to exist.
    isCatchingUp = finalized.height > before
    progressAt = now
    if isCatchingUp { catchUp(asking: sender, inHurry: true) }
  }

  private mutating func extend(by segment: LedgerSegment) {
    guard segment.finalization.era == era, let last = segment.blocks.last else { return }
    if let same = segment.blocks.first(where: { $0.header.height == finalized.height }), same.hash != finalized.hash {
      return fork(at: finalized.height)
    }
    let new = Array(segment.blocks.drop { $0.header.height <= finalized.height })
    guard let first = new.first, first.header.height == finalized.height + 1 else { return }
    guard first.header.parentHash == finalized.hash else { return fork(at: first.header.height) }
    countVotes(of: segment.finalization)
    emit(.persist(.certificate(segment.finalization)))
    let hash = last.hash
    commit(LedgerSegment(blocks: new, finalization: segment.finalization), hash: hash)
    if segment.finalization.era == era, finalized.view >= view { enter(finalized.view + 1, by: segment.finalization) }
  }

  private mutating func fork(at height: Height) {
    halt("two final blocks at height \(height): more than \(quorum.faults) members are faulty")
  }

  private mutating func commit(_ segment: LedgerSegment, hash: Digest) {
    guard let last = segment.blocks.last else { return }
    emit(.finalized(segment))
    recentFinality.append(contentsOf: repeatElement(now, count: segment.blocks.count))
    recentFinality = recentFinality.suffix(ConsensusConfiguration.blockBurst)
    finalized = BlockReference(last.header, hash: hash)
    finalization = segment.finalization
    progressAt = now
    if let next = segment.nextEra {
      emit(.prune(belowEra: next.era, view: next.firstView))
      return begin(next, after: finalized)
    }
    emit(.prune(belowEra: era, view: finalized.view))
    forgetFinal()
  }

  /// Nothing below the last final block is of use any more.
  mutating func forgetFinal() {
    if let certificate = unapplied, certificate.view <= finalized.view { unapplied = nil }
    tree.prune(through: finalized.view)
    unexecuted.removeAll { $0 <= finalized.view }
    let retained = finalized.view - min(finalized.view, ConsensusConfiguration.viewsRetained)
    rounds = rounds.filter { $0.key > retained }
    fetching.forget(through: finalized.view)
  }
}
