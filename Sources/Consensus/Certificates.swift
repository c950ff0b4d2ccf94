import Messages
import Signing

/// What a certificate changes, however it came.
extension ConsensusCore {
  /// - Parameters:
  ///   - sender: who sent it, to be asked first for what it names; nil when it was made here or came inside a block.
  ///   - isOwn: made here from votes: it is broadcast.
  mutating func accept(_ certificate: Certificate, from sender: MemberIndex?, isOwn: Bool = false) {
    guard certificate.era == era, !isHalted else { return }
    let target = certificate.view
    guard target > finalized.view else { return countVotes(of: certificate) }
    guard isNews(certificate) else { return }
    if !isOwn { countVotes(of: certificate) }
    guard !isHalted else { return }
    withRound(target) { round in
      switch certificate.ballot {
      case .notarize(let proposition):
        round.notarization = certificate
        if let first = round.proposal, first.proposition != proposition { round.isContested = true }
      case .nullify: round.nullification = certificate
      case .finalize: round.finalization = certificate
      }
    }
    emit(.persist(.certificate(certificate)))
    switch certificate.ballot {
    case .notarize(let proposition):
      if isOwn { broadcast(.certificate(certificate)) }
      if target == view, let votedAt { pacemaker.measured(now - votedAt) }
      certified(proposition, by: sender)
    case .nullify:
      if isOwn { broadcast(.certificate(certificate)) }
    case .finalize(let proposition):
      if target > unapplied?.view ?? 0 { unapplied = certificate }
      certified(proposition, by: sender)
    }
    if target >= view { enter(target + 1, by: certificate) }
    if case .notarize = certificate.ballot { finalize(target) }
    if case .finalize = certificate.ballot {
      applyFinalization()
      if unapplied != nil {
        catchUp(asking: sender, inHurry: target >= finalized.view + ConsensusConfiguration.viewsFarBehind)
      }
    }
  }

  private mutating func isNews(_ certificate: Certificate) -> Bool {
    let round = round(certificate.view)
    switch certificate.ballot {
    case .nullify: return round.nullification == nil
    case .notarize(let proposition):
      if let held = round.certifiedProposition, held != proposition {
        // More than f members notarized twice. What was held first stays; nobody here finalizes the view.
        countVotes(of: certificate)
        withRound(certificate.view) { $0.isContested = true }
        return false
      }
      return round.notarization == nil
    case .finalize(let proposition):
      guard let held = round.finalization else { return true }
      if held.ballot.proposition?.blockHash != proposition.blockHash {
        countVotes(of: certificate)
        halt("two finalizations of view \(certificate.view): more than \(quorum.faults) members are faulty")
      }
      return false
    }
  }

  /// A quorum wants this block: it is executed here, and fetched if it is missing.
  private mutating func certified(_ proposition: Proposition, by sender: MemberIndex?) {
    let hash = proposition.blockHash
    highestCertified = max(highestCertified, proposition.view)
    if case .invalid(let reason)? = tree[hash]?.execution { return disagree(hash, reason) }
    if !unexecuted.contains(proposition.view), tree[hash]?.execution != .valid {
      let index = unexecuted.firstIndex { $0 > proposition.view } ?? unexecuted.endIndex
      unexecuted.insert(proposition.view, at: index)
    }
    if tree[hash] == nil {
      if let first = rounds[proposition.view]?.proposal, first.hash == hash {
        hold(first.offer.block, hash: hash)
      } else {
        fetch(hash, view: proposition.view, from: sender, inHurry: false)
      }
    }
    announce(hash)
  }

  /// Rule 8: a quorum notarized what this member's own execution refutes. Either this member or a quorum is wrong about
  /// money; going on would hide it.
  mutating func disagree(_ hash: Digest, _ reason: String) {
    halt("block \(hash) was notarized by a quorum but is invalid here: \(reason)")
  }

  /// Says once that a block is certified and here.
  mutating func announce(_ hash: Digest) {
    guard let node = tree[hash], !node.isAnnounced, isCertified(node) else { return }
    tree.setAnnounced(hash)
    emit(.notarized(node.block, hash: hash))
  }

  /// Whether a quorum notarized or finalized the block, in its own view or, at the end of an era, in a later one.
  func isCertified(_ node: BlockTree.Node) -> Bool {
    if rounds[node.block.header.view]?.certifiedHash == node.hash { return true }
    return node.endsEra && rounds.values.contains { $0.certifiedHash == node.hash }
  }

  /// Rule 1.
  mutating func enter(_ next: View, by certificate: Certificate) {
    if next > view + 1 { schedule.forgetSilence(before: next) }
    view = next
    entry = certificate
    enteredAt = now
    building = nil
    votedAt = nil
    lastWaiting = nil
    retryAt = nil
    if let me { schedule.heard(me, in: next) }
    if next > ConsensusConfiguration.viewsFull { rounds[next - ConsensusConfiguration.viewsFull]?.compact() }
    observe(.entered(view: next, leader: leader))
  }
}
