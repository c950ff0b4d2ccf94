import Messages
import Signing

/// Taking over a final block without the ones below it: a snapshot is of the state after it.
extension ConsensusCore {
  /// Goes on from there, as if every block up to it had become final here.
  /// - Parameters:
  ///   - certificate: makes it or a descendant of the same era final.
  ///   - record: the era of the block after it.
  mutating func adopt(_ header: BlockHeader, _ certificate: Certificate, _ record: EraRecord) {
    guard header.height > finalized.height, !isHalted else { return }
    let hash = header.hash
    let isDirect = certificate.ballot == .finalize(header.proposition(hash: hash))
    finalized = BlockReference(header, hash: hash)
    finalization = isDirect ? certificate : nil
    progressAt = now
    isCatchingUp = true
    if record.era != era {
      emit(.prune(belowEra: record.era, view: record.firstView))
      begin(record, after: finalized)
      if header.era == record.era { closing = nil }
    } else {
      emit(.prune(belowEra: era, view: finalized.view))
      forgetFinal()
      if finalized.view >= view { enter(finalized.view + 1, by: certificate) }
    }
    if !isDirect { accept(certificate, from: nil) }
  }
}
