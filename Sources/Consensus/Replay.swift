import Messages
import Signing

/// Recovery. It is the same code for a first start (no tip, no records), a restart and a crash at any point: what is
/// durable is what was said.
extension ConsensusCore {
  /// - Parameters:
  ///   - finalized: the last block of the block log; nil while the log is empty. It may be ahead of the records (a log
  ///     copied from another member) or behind them (its blocks come as ``ConsensusEffect/finalized(_:)`` again).
  ///   - finalization: of that block, if the log has it at hand; otherwise it is among the records, or asked for.
  ///   - records: in any order; those of views long final are ignored.
  public init(
    configuration: ConsensusConfiguration, finalized header: BlockHeader?, finalization: Certificate? = nil,
    replaying records: [ConsensusRecord]
  ) {
    self.configuration = configuration
    membership = Membership(configuration.era, keys: configuration.keys)
    recollection = configuration.recollection
    me = membership.identity?.member
    self.finalization = finalization
    finalized =
      header.map { BlockReference($0, hash: $0.hash) }
      ?? BlockReference(hash: configuration.network, view: 0, height: 0, time: configuration.genesisTime)
    schedule = LeaderSchedule(membership)
    pacemaker = Pacemaker(configuration)
    fetching = Fetching()
    answering = Answering(configuration, members: membership.quorum.members)
    view = plants(.signsBelowTheMark) ? 1 : finalized.view + 1
    entry = finalization
    if let finalization, finalization.era < era { closing = finalization }
    for record in records where record.era == era { replay(record) }
    restoreChain()
    effects = []
  }

  private mutating func replay(_ record: ConsensusRecord) {
    guard record.view + ConsensusConfiguration.viewsRetained > finalized.view else { return }
    switch record {
    case .vote(let vote):
      recount(vote)
    case .proposal(let proposal): replay(.new(proposal))
    case .reproposal(let reproposal): replay(.again(reproposal))
    case .certificate(let certificate):
      withRound(record.view) { round in
        switch certificate.ballot {
        case .notarize: round.notarization = certificate
        case .nullify: round.nullification = certificate
        case .finalize: round.finalization = certificate
        }
      }
      for vote in certificate.votes { _ = withRound(record.view) { $0.count(vote) } }
      if record.view >= view || entry == nil {
        view = max(view, record.view + 1)
        entry = certificate
      }
      if case .finalize = certificate.ballot {
        if record.view == finalized.view, finalization == nil { finalization = certificate }
        if record.view > max(finalized.view, unapplied?.view ?? 0) { unapplied = certificate }
      }
    }
  }

  private mutating func replay(_ offer: Round.Offer) {
    guard let proposition = offer.vote.ballot.proposition else { return }
    withRound(proposition.view) { round in
      guard round.proposal == nil else { return }
      // It was voted for, so its time was within bounds when it came.
      round.proposal = Round.FirstProposal(
        offer: offer, proposition: proposition, arrival: offer.block.header.time)
    }
    if offer.block.header.view > finalized.view {
      tree.insert(offer.block, hash: proposition.blockHash, execution: .notAsked)
    }
    view = max(view, proposition.view)
    recount(offer.vote)
  }

  /// Own votes go back into the local tally: if every member crashed after its nullify was durable, each must count its
  /// own again, or nobody ever reaches a quorum.
  private mutating func recount(_ vote: Vote) {
    if vote.member == me { remember(vote) }
    if !plants(.ownVotesNotCountedAgain) { _ = withRound(vote.ballot.view) { $0.count(vote) } }
    // A notarize or nullify vote was cast in its view; a finalize vote is cast by a member that has left it.
    if vote.member == me, vote.ballot.kind != MessageKind.finalize { view = max(view, vote.ballot.view) }
  }

  private mutating func restoreChain() {
    for target in rounds.keys.sorted() where target > finalized.view {
      guard rounds[target]?.certified != nil else { continue }
      unexecuted.append(target)
      highestCertified = target
    }
    schedule.forgetSilence(before: view)
  }

  /// The first turn: what should have followed from the records and did not, because of the crash, follows now; what
  /// was said is said again; and a few members are asked whether the chain has gone on.
  mutating func start() {
    isStarted = true
    enteredAt = now
    progressAt = now
    // An observer is asked nothing and told nothing; it looks for itself.
    isCatchingUp = me == nil
    observe(.entered(view: view, leader: leader))
    for target in rounds.keys.sorted() where target > finalized.view {
      let round = round(target)
      for vote in [round.own.notarize, round.own.nullify, round.own.finalize].compactMap({ $0 }) {
        recertify(vote.ballot)
      }
      if let certificate = round.certified, let hash = round.certifiedHash {
        announce(hash)
        fetch(hash, view: certificate.view, from: nil)
      }
      finalize(target)
    }
    retry()
    askWhatWasSigned()
    guard quorum.members > 1 else { return }
    var member = me ?? 0
    for _ in 0..<quorum.oneHonest {
      member = next(after: member)
      emit(.send(.getCertificates(from: view, through: view), to: member))
    }
  }
}
