import Messages
import Signing

/// Counting votes and casting them (rules 3–6).
extension ConsensusCore {
  /// Counts a vote of anyone, this member included, and does what a quorum of it allows.
  mutating func count(_ vote: Vote) {
    let ballot = vote.ballot
    guard ballot.view + ConsensusConfiguration.viewsRetained > finalized.view else { return }
    let (addition, evidence) = withRound(ballot.view) { $0.count(vote) }
    report(evidence)
    guard case .counted(let votes) = addition, !isHalted, ballot.view > finalized.view else { return }
    if votes >= votesOfCertificate { certify(ballot) }
    if case .nullify = ballot, votes >= quorum.oneHonest { joinNullify(ballot.view) }
  }

  /// Remembers the votes inside a certificate: they may contradict what their members said elsewhere.
  mutating func countVotes(of certificate: Certificate) {
    guard certificate.view + ConsensusConfiguration.viewsRetained > finalized.view else { return }
    for vote in certificate.votes {
      schedule.heard(vote.member, in: vote.ballot.view)
      let (_, evidence) = withRound(vote.ballot.view) { $0.count(vote) }
      report(evidence)
    }
  }

  private mutating func report(_ evidence: [ConsensusEvidence]) {
    if let own = evidence.first(where: { $0.member == me }) {
      halt("two contradicting votes of this member's key exist in view \(own.view): another process uses it")
    } else {
      effects += evidence.map { .evidence($0) }
    }
  }

  /// Makes the certificate of a replayed vote, if that was all that was missing.
  mutating func recertify(_ ballot: Ballot) {
    let round = round(ballot.view)
    let votes =
      switch ballot {
      case .notarize: round.notarizes.count(of: ballot)
      case .nullify: round.nullifies.count(of: ballot)
      case .finalize: round.finalizes.count(of: ballot)
      }
    if votes >= votesOfCertificate { certify(ballot) }
  }

  private var votesOfCertificate: Int {
    if plants(.quorumOf2fPlus1) { return 2 * quorum.faults + 1 }
    return plants(.certificateOneShort) ? quorum.votes - 1 : quorum.votes
  }

  private mutating func certify(_ ballot: Ballot) {
    let round = round(ballot.view)
    switch ballot {
    case .notarize:
      if round.notarization == nil { accept(round.notarizes.certificate(of: ballot), from: nil, isOwn: true) }
    case .nullify:
      if round.nullification == nil { accept(round.nullifies.certificate(of: ballot), from: nil, isOwn: true) }
    case .finalize:
      if round.finalization == nil { accept(round.finalizes.certificate(of: ballot), from: nil, isOwn: true) }
    }
  }

  // MARK: Casting

  /// Signs, persists, speaks, counts. The one place where a vote is made; the callers have checked their rule, this
  /// checks what holds for all: an identity, and the mark.
  private mutating func cast(_ ballot: Ballot) {
    guard let identity = membership.identity, ballot.view > signingMark, !isHalted else { return }
    let vote = Vote(ballot, by: identity.member, with: identity.key, network: configuration.network)
    remember(vote)
    emit(.persist(.vote(vote)))
    broadcast(.vote(vote))
    count(vote)
  }

  /// Enters an own vote where the rules look for it.
  mutating func remember(_ vote: Vote) {
    schedule.heard(vote.member, in: vote.ballot.view)
    withRound(vote.ballot.view) { round in
      switch vote.ballot {
      case .notarize: round.own.notarize = vote
      case .nullify: round.own.nullify = vote
      case .finalize: round.own.finalize = vote
      }
    }
  }

  /// Rule 3: only in the current view, at most once, not after any other vote in it. (That no certificate of the view
  /// is held follows from being in it.)
  var mayNotarize: Bool {
    let round = round(view)
    let own = round.own
    let isRepeated = plants(.notarizesEveryProposal) && own.notarize?.ballot.proposition != round.proposal?.proposition
    return (own.notarize == nil || isRepeated) && own.nullify == nil && own.finalize == nil && view > signingMark
  }

  mutating func notarize(_ first: Round.FirstProposal) {
    guard mayNotarize, me != nil else { return }
    emit(.persist(first.offer.record))
    votedAt = now
    cast(.notarize(first.proposition))
  }

  /// Rule 5 and 6: only in the current view, at most once, never after a finalize vote.
  var mayNullify: Bool {
    let own = round(view).own
    return own.nullify == nil && own.finalize == nil && view > signingMark && me != nil
  }

  mutating func nullify() {
    guard mayNullify else { return }
    building = nil
    cast(.nullify(era: era, view: view))
  }

  private mutating func joinNullify(_ target: View) {
    guard target == view, mayNullify else { return }
    observe(.joinedNullify(view: view, leader: leader))
    nullify()
  }

  /// Rule 4: at most once, only if this member never nullified the view, never notarized another block in it and saw no
  /// second one. Also for a view it has left otherwise: votes for old views still count.
  mutating func finalize(_ target: View) {
    let round = round(target)
    guard let proposition = round.notarization?.ballot.proposition, round.own.finalize == nil else { return }
    let isNullified = round.own.nullify != nil || round.nullification != nil
    let isAnother = round.own.notarize.map { $0.ballot.proposition != proposition } ?? false
    guard !isNullified || plants(.finalizesAfterNullify),
      !(isAnother || round.isContested) || plants(.finalizesAnotherBlock)
    else { return }
    cast(.finalize(proposition))
  }
}
