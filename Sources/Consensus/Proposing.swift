import Messages
import Signing

/// Rule 2: what a leader builds on, and the block it makes of the answer.
extension ConsensusCore {
  private enum Parent {
    case ready(BlockReference, certificate: Certificate?, skipped: [Certificate])
    /// Something is being fetched or executed: this leader looks again when it is there.
    case notReady
  }

  /// The highest certified view below this one with nullifications for all between.
  private mutating func chooseParent() -> Parent {
    var skipped: [Certificate] = []
    var candidate = view - 1
    while candidate > finalized.view {
      let round = rounds[candidate]
      if let certificate = round?.certified, let hash = round?.certifiedHash {
        if let node = tree[hash], node.execution == .valid {
          return .ready(node.reference, certificate: certificate, skipped: skipped.reversed())
        }
        if tree[hash] == nil { fetch(hash, view: candidate, from: nil) }
        // A view that is also nullified may be skipped while its block is not to be had.
        if round?.nullification == nil { return .notReady }
      }
      guard let nullification = round?.nullification else {
        let count = UInt64(ConsensusMessage.maximumCertificates) / 2
        fetchCertificates(max(finalized.view + 1, candidate - min(candidate, count))...candidate, from: nil)
        return .notReady
      }
      if skipped.count < BlockHeader.maximumSkipped { skipped.append(nullification) }
      candidate -= 1
    }
    if finalized.height > 0, finalization == nil {
      fetchCertificates(finalized.view...finalized.view, from: nil)
      return .notReady
    }
    return .ready(finalized, certificate: finalization, skipped: skipped.reversed())
  }

  /// Whether this member leads the current view and has said nothing in it.
  var mayBuild: Bool { leader == me && rounds[view]?.proposal == nil && mayNotarize }

  mutating func tryBuild(mayDecline: Bool) {
    guard mayBuild else { return }
    if let building, building.view == view { return }
    guard case .ready(let parent, _, _) = chooseParent() else { return }
    let depth = parent.height - finalized.height
    let request = BuildRequest(
      view: view, parent: parent, time: max(now, parent.time + Span(nanoseconds: 1)), mayDecline: mayDecline,
      onlyEmpty: depth >= ConsensusConfiguration.fullBlocksNotFinal)
    building = request
    emit(.build(request))
  }

  mutating func built(view target: View, body: BlockBody, stateRoot: Digest) {
    guard let request = building, request.view == target, target == view, mayBuild,
      let identity = configuration.identity, case .ready(let parent, let certificate, let skipped) = chooseParent(),
      parent == request.parent
    else {
      building = nil
      return
    }
    building = nil
    let header = BlockHeader(
      era: configuration.era, view: view, parentView: parent.view, height: parent.height + 1, parentHash: parent.hash,
      time: request.time, leader: identity.member, transactionsRoot: body.transactionsRoot,
      outcomesRoot: body.outcomesRoot, stateRoot: stateRoot, parentCertificate: certificate, skipped: skipped)
    let hash = header.hash
    let block = Block(header: header, body: body)
    let vote = Vote(
      .notarize(header.proposition(hash: hash)), by: identity.member, with: identity.key,
      network: configuration.network)
    let proposal = Proposal(block: block, vote: vote)
    emit(.assembled(view: view, hash: hash))
    emit(.persist(.proposal(proposal)))
    emit(.broadcast(.proposal(proposal)))
    votedAt = now
    let arrival = now
    withRound(view) { $0.proposal = Round.FirstProposal(proposal: proposal, hash: hash, arrival: arrival) }
    remember(vote)
    hold(block, hash: hash, execution: .valid)
    count(vote)
  }

  mutating func nothingToBuild(view target: View) {
    guard let request = building, request.view == target else { return }
    building = nil
    waitingSince = nil
  }
}
