import Messages

/// When to build, when to give up, when to say it again. Timers only wake the core: what is due follows from the time
/// alone, so a late, early or repeated wake-up changes nothing.
extension ConsensusCore {
  /// Since when this view needs a block even if it is empty: the parent should become final, or the heartbeat is due.
  private var demandedAt: Instant {
    let heartbeat = enteredAt + configuration.heartbeat
    return highestCertified > finalized.view ? min(enteredAt + configuration.finalityGrace, heartbeat) : heartbeat
  }

  /// Transactions that wait are left to gather until then. By this member's own clock: a leader whose clock is fast
  /// slows nobody down.
  private var pacedUntil: Instant {
    guard recentFinality.count >= ConsensusConfiguration.blockBurst, let first = recentFinality.first else {
      return .zero
    }
    return first + configuration.blockInterval * Int64(ConsensusConfiguration.blockBurst)
  }

  /// Since when the leader of this view is waited for. It lies in the future on an idle ledger: nobody is blamed.
  private var awaitedSince: Instant {
    var since = demandedAt
    if let waitingSince { since = min(since, max(waitingSince, enteredAt, pacedUntil)) }
    if let proposal = rounds[view]?.proposal { since = min(since, max(proposal.arrival, enteredAt)) }
    return since
  }

  /// Rules 2, 5 and 7 as far as they depend on time; then sets the timers.
  mutating func pace() {
    guard isStarted, !isHalted else { return }
    if mayBuild {
      if demandedAt <= now {
        tryBuild(mayDecline: false)
      } else if waitingSince != nil, pacedUntil <= now {
        tryBuild(mayDecline: true)
      }
    }
    let timeout = pacemaker.timeout(view: view, finalized: finalized.view)
    if mayNullify, awaitedSince <= now {
      if awaitedSince + timeout <= now {
        observe(.timedOut(view: view, leader: leader, after: now - awaitedSince, reason: timeoutReason))
        nullify()
      } else if skipsLeader {
        observe(.skipped(view: view, leader: leader))
        nullify()
      }
    }
    ask()
    armTimers(timeout)
  }

  private var timeoutReason: ConsensusObservation.TimeoutReason {
    guard let round = rounds[view], round.proposal != nil else { return .silentLeader }
    if round.own.notarize != nil { return .late }
    guard case .waiting(view, let reason)? = lastWaiting else { return .execution }
    switch reason {
    case .parentMissing: return .missingBlock
    case .nullificationsMissing: return .missingNullifications
    case .timeAhead, .timeBehind: return .clock
    case .notExecutable: return .execution
    }
  }

  private var skipsLeader: Bool {
    leader != me && rounds[view]?.proposal == nil && schedule.isSkipped(in: view) && !plants(.neverSkips)
  }

  private mutating func armTimers(_ timeout: Span) {
    let mayBuildAt = [demandedAt, waitingSince == nil ? nil : pacedUntil].compactMap { $0 }.filter { $0 > now }.min()
    arm(.build, at: mayBuild ? mayBuildAt : nil)
    // A silent leader is not waited for: on an idle ledger nothing else would wake this member when its turn has come.
    arm(.leader, at: mayNullify ? awaitedSince + (skipsLeader ? .zero : timeout) : nil)
    if !isUnsettled {
      retryAt = nil
    } else if retryAt == nil {
      retryAt = now + retryInterval
    }
    arm(.retry, at: [retryAt, fetching.dueAt, proposalDueAt, patienceEndsAt].compactMap { $0 }.min())
  }

  /// A member is woken by its leaders' timers; an observer waits for nobody.
  private var patienceEndsAt: Instant? {
    let end = progressAt + configuration.heartbeat * ConsensusConfiguration.heartbeatsOfPatience
    return me == nil && end > now ? end : nil
  }

  private mutating func arm(_ timer: ConsensusTimer, at time: Instant?) {
    let index = Int(timer.rawValue)
    guard armed[index] != time else { return }
    armed[index] = time
    if let time { emit(.setTimer(timer, at: time)) } else { emit(.cancelTimer(timer)) }
  }

  var retryInterval: Span {
    let half = pacemaker.timeout(view: view, finalized: finalized.view) / 2
    return min(max(configuration.retryFloor, half), max(configuration.retryCap, configuration.retryFloor))
  }

  /// Whether anything is worth repeating. On an idle ledger nothing is, so nothing is sent.
  private var isUnsettled: Bool {
    if highestCertified > finalized.view || unapplied != nil || !fetching.isEmpty || isRestoring { return true }
    guard let round = rounds[view] else { return false }
    return round.own.notarize != nil || round.own.nullify != nil || round.proposal != nil
  }

  /// Says again what is not settled. Whoever is further on answers with what is missing here.
  mutating func retry() {
    retryAt = now + retryInterval
    if plants(.neverRepeats) { return }
    askWhatWasSigned()
    if let round = rounds[view] {
      if let notarize = round.own.notarize {
        if leader == me, let first = round.proposal {
          broadcast(first.offer.message)
        } else {
          broadcast(.vote(notarize))
        }
      }
      if let nullify = round.own.nullify {
        broadcast(.vote(nullify))
        if let entry { broadcast(.certificate(entry)) }
      }
      if let hash = round.proposal?.hash, tree[hash]?.execution == .notYet { tree.setExecution(.notAsked, of: hash) }
    }
    repeatCertified()
    for target in unexecuted {
      guard let hash = rounds[target]?.certifiedHash, tree[hash]?.execution == .notYet else { continue }
      tree.setExecution(.notAsked, of: hash)
    }
  }

  /// Own finalize votes of the views that are certified and not final, and the highest certificate among them for those
  /// who missed it.
  private mutating func repeatCertified() {
    guard highestCertified > finalized.view else { return }
    if rounds[view]?.own.nullify == nil || entry?.view != highestCertified,
      let certificate = rounds[highestCertified]?.certified
    {
      broadcast(.certificate(certificate))
    }
    let lowest = max(finalized.view + 1, view - min(view, ConsensusConfiguration.finalizesRepeated))
    for target in lowest...max(lowest, view) {
      if let finalize = rounds[target]?.own.finalize { broadcast(.vote(finalize)) }
    }
  }
}
