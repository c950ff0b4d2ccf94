import Messages
import Signing

/// Rule 2: what a leader builds on, and the block it makes of the answer.
extension ConsensusCore {
  private enum Parent {
    case ready(BlockReference, certificate: Certificate?, skipped: [Certificate])
    /// The parent ends the era and is not final: it is offered again.
    case last(Block, certificate: Certificate, skipped: [Certificate])
    /// Something is being fetched or executed: this leader looks again when it is there.
    case notReady
  }

  /// The highest certified view below this one with nullifications for all between.
  private mutating func chooseParent() -> Parent {
    var skipped: [Certificate] = []
    var candidate = plants(.gapWithoutNullification) ? finalized.view : view - 1
    while candidate > finalized.view {
      let round = rounds[candidate]
      if let certificate = round?.certified, let hash = round?.certifiedHash {
        if let node = tree[hash], node.execution == .valid {
          if node.endsEra { return .last(node.block, certificate: certificate, skipped: skipped.reversed()) }
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
    let parent: BlockReference
    switch chooseParent() {
    case .ready(let reference, _, _): parent = reference
    case .last(let block, let certificate, let skipped):
      // What waits is not for this era.
      return mayDecline ? () : offerAgain(block, certificate: certificate, skipped: skipped)
    case .notReady: return
    }
    let depth = parent.height - finalized.height
    let request = BuildRequest(
      view: view, parent: parent, time: max(now, parent.time + Span(nanoseconds: 1)), mayDecline: mayDecline,
      onlyEmpty: depth >= ConsensusConfiguration.fullBlocksNotFinal)
    building = request
    emit(.build(request))
  }

  mutating func built(view target: View, body: BlockBody, stateRoot: Digest) {
    guard let request = building, request.view == target, target == view, mayBuild,
      let identity = membership.identity, case .ready(let parent, let certificate, let skipped) = chooseParent(),
      parent == request.parent
    else {
      building = nil
      return
    }
    building = nil
    let header = BlockHeader(
      era: era, view: view, parentView: parent.view, height: parent.height + 1, parentHash: parent.hash,
      time: request.time, leader: identity.member, transactionsRoot: body.transactionsRoot,
      outcomesRoot: body.outcomesRoot, stateRoot: stateRoot, parentCertificate: certificate, skipped: skipped)
    let hash = header.hash
    let block = Block(header: header, body: body)
    let vote = Vote(
      .notarize(header.proposition(hash: hash)), by: identity.member, with: identity.key,
      network: configuration.network)
    emit(.assembled(view: view, hash: hash))
    hold(block, hash: hash, execution: .valid)
    make(.new(Proposal(block: block, vote: vote)), header.proposition(hash: hash))
  }

  /// The same bytes in a new proposition; what a header would carry goes beside them.
  private mutating func offerAgain(_ block: Block, certificate: Certificate, skipped: [Certificate]) {
    guard let identity = membership.identity, let certified = certificate.ballot.proposition else { return }
    let proposition = Proposition(
      era: era, view: view, parentView: certified.view, blockHash: certified.blockHash)
    let vote = Vote(
      .notarize(proposition), by: identity.member, with: identity.key, network: configuration.network)
    let reproposal = Reproposal(block: block, vote: vote, certificate: certificate, skipped: skipped)
    make(.again(reproposal), proposition)
  }

  /// Persists, speaks, counts: the leader's own notarize vote goes with what it offers.
  private mutating func make(_ offer: Round.Offer, _ proposition: Proposition) {
    emit(.persist(offer.record))
    broadcast(offer.message)
    votedAt = now
    let arrival = now
    withRound(view) { round in
      round.proposal = Round.FirstProposal(offer: offer, proposition: proposition, arrival: arrival)
    }
    remember(offer.vote)
    count(offer.vote)
  }

  mutating func nothingToBuild(view target: View) {
    guard let request = building, request.view == target else { return }
    building = nil
    waitingSince = nil
  }
}
