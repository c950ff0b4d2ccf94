import Messages
import Signing

/// Rule 3 up to the vote, and the execution of what others certified.
extension ConsensusCore {
  /// Has certified blocks executed, parents first: the state under the next proposal must be there when it comes.
  mutating func executeCertified() {
    for target in unexecuted {
      guard target > finalized.view, let hash = rounds[target]?.certifiedHash, let node = tree[hash] else { continue }
      let header = node.block.header
      guard let parent = reference(header.parentHash) else {
        // Below the final view there is no parent to be had: this block lost.
        if header.parentView > finalized.view { fetch(header.parentHash, view: header.parentView, from: nil) }
        continue
      }
      guard isExecuted(header.parentHash), node.execution == .notAsked else { continue }
      if let fault = fault(of: header, after: parent) { return disagree(hash, fault) }
      askToExecute(node)
    }
  }

  private mutating func askToExecute(_ node: BlockTree.Node) {
    tree.setExecution(.asked, of: node.hash)
    emit(.validate(node.block, hash: node.hash))
  }

  mutating func validated(_ hash: Digest, _ validation: Validation) {
    guard let node = tree[hash] else { return }
    let isCertified = isCertified(node)
    switch validation {
    case .valid:
      tree.setExecution(.valid, of: hash)
      unexecuted.removeAll { rounds[$0]?.certifiedHash == hash }
    case .notYet:
      tree.setExecution(.notYet, of: hash)
    case .invalid(let reason):
      tree.setExecution(.invalid(reason), of: hash)
      if isCertified { disagree(hash, reason) }
    }
  }

  /// Votes for the proposal of the current view, or against it, or finds out what is missing to tell.
  mutating func considerProposal() {
    guard let first = rounds[view]?.proposal, mayNotarize else { return }
    switch first.offer {
    case .new(let proposal): consider(proposal, first)
    case .again(let reproposal): consider(reproposal, first)
    }
  }

  private mutating func consider(_ proposal: Proposal, _ first: Round.FirstProposal) {
    let header = proposal.block.header
    guard isWellFormed(header) else { return refuse("malformed header", proof: proposal) }
    guard header.parentView > finalized.view || header.parentHash == finalized.hash else {
      // Its certificates skip a final view, so more than f members are faulty. This leader need not be one of them.
      return refuse("does not descend from the final block")
    }
    guard let parent = reference(header.parentHash) else {
      fetch(header.parentHash, view: header.parentView, from: header.leader)
      return wait(.parentMissing)
    }
    if let fault = fault(of: header, after: parent) { return refuse(fault, proof: proposal) }
    if let gap = missingNullifications(after: header.parentView, before: view) {
      fetchCertificates(gap, from: header.leader)
      return wait(.nullificationsMissing)
    }
    let isAhead = header.time > now + configuration.maximumAhead && !plants(.blockTimeUnchecked)
    guard !isAhead else { return wait(.timeAhead) }
    let behind = max(configuration.maximumBehind, pacemaker.timeout(view: view, finalized: finalized.view))
    guard header.time + behind >= first.arrival else { return wait(.timeBehind) }
    guard isExecuted(header.parentHash), let node = tree[first.hash] else { return wait(.notExecutable) }
    switch node.execution {
    case .notAsked: askToExecute(node)
    case .asked: break
    case .notYet: wait(.notExecutable)
    case .valid: notarize(first)
    case .invalid(let reason): refuse(reason, proof: proposal)
    }
  }

  /// The last block of the era again: certified before, so its time is not looked at, and what it takes to execute it
  /// is fetched as for any certified block.
  private mutating func consider(_ reproposal: Reproposal, _ first: Round.FirstProposal) {
    guard reproposal.isWellFormed(hash: first.hash), reproposal.block.body.nextEra != nil else {
      return refuse("offers a block again that ends no era")
    }
    let header = reproposal.block.header
    guard header.parentView > finalized.view || header.parentHash == finalized.hash else {
      return refuse("does not descend from the final block")
    }
    if let gap = missingNullifications(after: first.proposition.parentView, before: view) {
      fetchCertificates(gap, from: reproposal.vote.member)
      return wait(.nullificationsMissing)
    }
    guard isExecuted(first.hash) else { return wait(.notExecutable) }
    notarize(first)
  }

  private func isWellFormed(_ header: BlockHeader) -> Bool {
    header.isWellFormed || plants(.gapWithoutNullification)
  }

  /// What anyone can see to be wrong with a header beside its parent's.
  private func fault(of header: BlockHeader, after parent: BlockReference) -> String? {
    if !isWellFormed(header) { return "malformed header" }
    if tree[header.parentHash]?.endsEra == true { return "built on the last block of era \(header.era)" }
    if header.parentView != parent.view { return "view of the parent: \(header.parentView), not \(parent.view)" }
    if header.height != parent.height + 1 { return "height \(header.height) after \(parent.height)" }
    if header.time <= parent.time { return "time \(header.time) not after its parent's \(parent.time)" }
    if header.leader != schedule.leader(of: header.view) { return "leader \(header.leader) out of turn" }
    return nil
  }

  /// Invalid for ever: nullify at once and keep the proof.
  /// - Parameter proof: the leader signed what is refuted; nil where that cannot be shown to others.
  private mutating func refuse(_ reason: String, proof: Proposal? = nil) {
    guard mayNullify else { return }
    observe(.refused(view: view, leader: leader, reason: reason))
    if let proof { emit(.refuted(proof, reason: reason)) }
    nullify()
  }

  private mutating func wait(_ reason: ConsensusObservation.WaitingReason) {
    let observation = ConsensusObservation.waiting(view: view, reason)
    guard lastWaiting != observation else { return }
    lastWaiting = observation
    observe(observation)
  }

  /// The views strictly between two that this member holds no nullification of, as one range, oldest first.
  private func missingNullifications(after parent: View, before child: View) -> ClosedRange<View>? {
    // The header itself carried the latest ones and they are held by now.
    guard !plants(.gapWithoutNullification), child - parent - 1 > UInt64(BlockHeader.maximumSkipped) else {
      return nil
    }
    let last = child - 1 - UInt64(BlockHeader.maximumSkipped)
    guard let first = (parent + 1...last).first(where: { rounds[$0]?.nullification == nil }) else { return nil }
    return first...min(last, first + UInt64(ConsensusMessage.maximumCertificates) / 2)
  }

  /// When a proposal that lies in the future may be looked at again.
  var proposalDueAt: Instant? {
    guard case .new(let proposal)? = rounds[view]?.proposal?.offer, mayNotarize,
      case let header = proposal.block.header,
      header.time > now + configuration.maximumAhead
    else { return nil }
    return header.time - configuration.maximumAhead
  }
}
