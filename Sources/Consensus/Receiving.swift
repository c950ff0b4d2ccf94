import Messages
import Signing

/// How often this member answered each of the others lately.
struct Answering: Sendable {
  private let interval: Span
  private var windows: [(since: Instant, count: Int)]
  /// When each was last told which certificates it lacks.
  private var lastCertificates: [Instant?]

  init(_ configuration: ConsensusConfiguration, members: Int) {
    interval = configuration.retryFloor
    windows = [(since: Instant, count: Int)](repeating: (.zero, 0), count: members)
    lastCertificates = [Instant?](repeating: nil, count: members)
  }

  /// Whether one more answer to this member is within bounds.
  mutating func admit(_ member: MemberIndex, at now: Instant) -> Bool {
    let index = Int(member)
    guard index < windows.count else { return false }
    if now - windows[index].since >= interval { windows[index] = (now, 0) }
    guard windows[index].count < ConsensusConfiguration.answersPerInterval else { return false }
    windows[index].count += 1
    return true
  }

  /// Whether it is time to tell this member, unasked, what it lacks: at most twice per retry of its own.
  mutating func admitUnasked(_ member: MemberIndex, at now: Instant) -> Bool {
    let index = Int(member)
    guard index < lastCertificates.count else { return false }
    if let last = lastCertificates[index], now - last < interval / 2 { return false }
    lastCertificates[index] = now
    return true
  }
}

extension ConsensusCore {
  mutating func receive(_ message: ConsensusMessage, from sender: MemberIndex?) {
    if case .segments(let segments) = message { return receive(segments, from: sender) }
    guard let sender, Int(sender) < quorum.members, sender != me else { return }
    switch message {
    case .vote(let vote): receive(vote, from: sender)
    case .proposal(let proposal): receive(proposal, from: sender)
    case .certificate(let certificate): accept(certificate, from: sender)
    case .certificates(let certificates):
      for certificate in certificates { accept(certificate, from: sender) }
      learnWhatWasSigned(from: certificates, of: sender)
      fetching.viewsAnswered()
    case .block(let block): receive(block)
    case .segments: break  // taken above
    case .reproposal(let reproposal): receive(reproposal, from: sender)
    case .getBlock(let hash): answerBlock(hash, to: sender)
    case .getCertificates(let first, let last): answerCertificates(first, last, to: sender)
    case .getSegments(let height):
      guard admits(sender) else { return }
      emit(.sendSegments(from: height, to: sender))
    }
  }

  /// A vote counts only when it comes from the member that signed it: relayed votes would let one member spend the
  /// others' time.
  private mutating func receive(_ vote: Vote, from sender: MemberIndex) {
    guard vote.ballot.era == era else { return receive(ofEra: vote.ballot.era, from: sender) }
    guard vote.member == sender else { return drop(sender, .notFromSigner) }
    schedule.heard(sender, in: view)
    guard vote.ballot.view <= view + ConsensusConfiguration.viewsAhead else { return drop(sender, .tooFarAhead) }
    if vote.ballot.view < view { remind(sender, of: vote.ballot.view) }
    count(vote)
  }

  private mutating func receive(_ proposal: Proposal, from sender: MemberIndex) {
    let header = proposal.block.header
    if header.era == era + 1, header.isWellFormed, let end = header.parentCertificate { accept(end, from: sender) }
    guard header.era == era else { return receive(ofEra: header.era, from: sender) }
    guard sender == header.leader else { return drop(sender, .notFromSigner) }
    guard header.leader == schedule.leader(of: header.view) else { return drop(sender, .unwanted) }
    schedule.heard(sender, in: view)
    if header.isWellFormed {
      // These take this member to the view of the proposal, whatever it missed: the last of them closes the view
      // before.
      if let parent = header.parentCertificate { accept(parent, from: sender) }
      for certificate in header.skipped { accept(certificate, from: sender) }
    }
    receive(.new(proposal), from: sender)
  }

  /// The era's last block again. Its certificates take this member to the view, like those in a header.
  private mutating func receive(_ reproposal: Reproposal, from sender: MemberIndex) {
    let vote = reproposal.vote
    guard vote.ballot.era == era else { return receive(ofEra: vote.ballot.era, from: sender) }
    guard sender == vote.member else { return drop(sender, .notFromSigner) }
    guard vote.member == schedule.leader(of: vote.ballot.view) else { return drop(sender, .unwanted) }
    schedule.heard(sender, in: view)
    accept(reproposal.certificate, from: sender)
    for certificate in reproposal.skipped { accept(certificate, from: sender) }
    // The certificate alone may have made the block final, and the era over.
    guard vote.ballot.era == era else { return }
    receive(.again(reproposal), from: sender)
  }

  private mutating func receive(_ offer: Round.Offer, from sender: MemberIndex) {
    let target = offer.vote.ballot.view
    guard target <= view + ConsensusConfiguration.viewsAhead else { return drop(sender, .tooFarAhead) }
    guard target > finalized.view else { return remind(sender, of: target) }
    if target < view { remind(sender, of: target) }
    guard let proposition = offer.vote.ballot.proposition else { return }
    let arrival = now
    let replacesFirst = plants(.notarizesEveryProposal)
    let isFirst = withRound(target) { round in
      guard let first = round.proposal, !replacesFirst else {
        round.proposal = Round.FirstProposal(offer: offer, proposition: proposition, arrival: arrival)
        if let certified = round.certifiedProposition, certified != proposition { round.isContested = true }
        return true
      }
      if first.proposition != proposition { round.isContested = true }
      return false
    }
    let hash = proposition.blockHash
    if isFirst || fetching.wants(hash) || rounds[target]?.certifiedHash == hash { hold(offer.block, hash: hash) }
    count(offer.vote)
  }

  /// A fetched block. The hash says whether it was asked for; its certificates may be news too.
  private mutating func receive(_ block: Block) {
    let hash = block.hash
    guard fetching.wants(hash), block.header.view > finalized.view, block.header.era == era else {
      return
    }
    fetching.received(hash)
    if let parent = block.header.parentCertificate { accept(parent, from: nil) }
    for certificate in block.header.skipped { accept(certificate, from: nil) }
    hold(block, hash: hash)
  }

  /// Puts a block into the tree.
  mutating func hold(_ block: Block, hash: Digest, execution: BlockTree.Execution = .notAsked) {
    guard block.header.view > finalized.view else { return }
    tree.insert(block, hash: hash, execution: execution)
    fetching.received(hash)
    announce(hash)
  }

  // MARK: Answers

  private mutating func admits(_ sender: MemberIndex) -> Bool {
    if answering.admit(sender, at: now) { return true }
    drop(sender, .tooManyRequests)
    return false
  }

  private mutating func answerBlock(_ hash: Digest, to sender: MemberIndex) {
    guard admits(sender) else { return }
    if let node = tree[hash] {
      emit(.send(.block(node.block), to: sender))
    } else if let finalization {
      // Final and no longer here, or unknown: the asker learns how far the chain is and asks for segments.
      emit(.send(.certificates([finalization]), to: sender))
    }
  }

  private mutating func answerCertificates(_ first: View, _ last: View, to sender: MemberIndex) {
    guard admits(sender), first <= last else { return }
    var certificates: [Certificate] = []
    if first <= finalized.view, let finalization { certificates.append(finalization) }
    let top = min(last, first &+ UInt64(ConsensusMessage.maximumCertificates) / 2, view)
    var asked = max(first, finalized.view + 1)
    while asked <= top {
      certificates += rounds[asked]?.closing ?? []
      asked += 1
    }
    appendNews(&certificates, for: first)
    // The question does not say of which era it is.
    if let closing { certificates.append(closing) }
    if !certificates.isEmpty { emit(.send(.certificates(certificates), to: sender)) }
  }

  /// Somebody is still at a view this member has left: it is told what closed it, and what led into the current view.
  /// Not at once: the last votes of a view always come after it was closed.
  private mutating func remind(_ sender: MemberIndex, of old: View) {
    guard me != nil, now - enteredAt >= configuration.retryFloor / 2, answering.admitUnasked(sender, at: now) else {
      return
    }
    var certificates: [Certificate] = []
    if old > finalized.view { certificates += rounds[old]?.closing ?? [] }
    appendNews(&certificates, for: old)
    if !certificates.isEmpty { emit(.send(.certificates(certificates), to: sender)) }
  }

  private func appendNews(_ certificates: inout [Certificate], for old: View) {
    for certificate in [finalization, unapplied, entry].compactMap({ $0 })
    where certificate.view >= old && !certificates.contains(where: { $0.ballot == certificate.ballot }) {
      certificates.append(certificate)
    }
  }

  mutating func drop(_ sender: MemberIndex, _ reason: ConsensusObservation.DropReason) {
    observe(.dropped(from: sender, reason: reason))
  }
}
