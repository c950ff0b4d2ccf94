import Messages
import Signing

// Simplex consensus, with attributable votes.
//
// The protocol in prose. Time is cut into views, numbered from 1. Each has one leader, by rotation over the operators.
//
//        view v                                view v+1
//        ┌──────────────────────────────┐     ┌───────────────
//   L    │ propose b ─┐                 │     │
//   all  │            └─ notarize(b) ─┐ │     │
//   all  │                q notarize ─┴─┼─────┤ enter, finalize(b, v) ─┐
//   all  │                              │     │            q finalize ─┴─ b and its ancestors are final
//        │ or, after a timeout:         │     │
//   all  │   nullify(v) ── q nullify ───┼─────┤ enter; v is skipped
//        └──────────────────────────────┘     └───────────────
//
// A leader builds on the highest view it holds a notarization of, and shows nullifications of every view in between. A
// member notarizes one block per view, while it is in that view. It finalizes a view whose notarization it holds, if it
// never nullified it: that vote is the promise that no nullification of the view will have its name on it. Two quorums
// share an honest member, so a view is finalized or nullified but never both, and a block built later must descend from
// every finalized one. Nothing is locked and there is no view-change sub-protocol: any certificate of view v takes
// everyone into v+1.
//
// After Benjamin Chan and Rafael Pass, "Simplex Consensus: A Simple and Fast Consensus Protocol" (TCC 2023). What is
// different here, and why:
//   - Votes are single signatures and certificates keep all of them: whoever breaks a rule is named (paper: any PKI).
//   - The quorum is ⌊(n+f)/2⌋+1, not ⌈2n/3⌉ of exactly 3f+1 members; see ``Quorum``.
//   - A block carries its parent's certificate and the nullifications it relies on, where the paper sends the whole
//     notarized chain. A receiver is then short of blocks at most, and asks for those.
//   - An idle ledger rests: a leader builds when a transaction waits, when what is certified is not final after a short
//     grace, or when the heartbeat is due; only then do the others start to wait for it. The paper's leader always has
//     something to say.
//   - A busy ledger is paced: after a burst of blocks a leader lets transactions gather for some milliseconds, and
//     nobody blames it for that (``ConsensusConfiguration/blockInterval``).
//   - Leaders that have been silent for k views are nullified at once, at most f of them (rule 7).
//   - A member that nullified a view does not notarize in it afterwards, though rule 3 does not forbid it: nothing
//     would be gained, since its finalize vote is gone.
//   - Publications are lossy. What is unsettled is said again on a retry timer; a message for a view long closed is
//     answered with the certificates that closed it; blocks and ranges are asked for by name.
//   - Finalizations are not broadcast: everybody counts the votes, the next block carries the certificate, and a member
//     that repeats its finalize vote is answered with it.
//   - Eras: the member set changes where a block says so. That block is offered again, the same bytes, until it is
//     final, and nothing is built on it; see Membership.swift. A message of another era is dropped.
//
// Persist before speaking. `handle` returns effects in the order in which they must take place. Own votes, the proposal
// voted for and every certificate acted on are `.persist`ed before the message that depends on them; a `.finalized`
// segment stands before every later vote. The shell makes one durable commit per turn, before the first message of the
// turn leaves, and stops if that fails. Recovery is `init` with the last finalized header and the records: there is no
// other. Nothing is ever signed at or below the last finalized view (the prune mark), or below what a
// member restored from a copy may have signed; see Restoring.swift.
//
// What a role must know: `.build` and `.validate` are answered by events at once, in any order; a block is executed on
// top of its parent's state, and parents are asked about before children.

/// One member's consensus, as a value: an event and a time in, effects out. The protocol is told at the head of this
/// file; the rules are split over the extensions beside it: Receiving, Voting, Certificates, Proposing, Validating,
/// Finality, Fetching, Pacing, Replay, Membership, Adopting, Restoring.
public struct ConsensusCore: Sendable {
  public let configuration: ConsensusConfiguration
  /// Who votes in the era that this member is in.
  public internal(set) var membership: Membership
  /// The member this core votes as. Stored: computed from the membership's identity and inlined, it makes the
  /// optimiser of Swift 6.3.1 stop with an ownership error (CopyPropagation).
  var me: MemberIndex?
  /// The view this member is in.
  public internal(set) var view: View = 1
  /// The last final block.
  public internal(set) var finalized: BlockReference
  /// Its finalization; nil for the genesis.
  public internal(set) var finalization: Certificate?
  /// True after ``ConsensusEffect/halt(_:)``: nothing is said any more.
  public internal(set) var isHalted = false

  // What is known of views above the retained ones, and of blocks above the final one.
  var rounds: [View: Round] = [:]
  var tree = BlockTree()
  /// The certificate that led into ``view``; nil in view 1 and after a restart that had none.
  var entry: Certificate?
  var enteredAt = Instant.zero
  var isStarted = false
  /// Certified views whose blocks have not been executed here, ascending.
  var unexecuted: [View] = []
  /// The highest view whose certificate is held; open while above the final one.
  var highestCertified: View = 0
  /// The finalization that ended the era before, while it is at hand: who is still there is told.
  var closing: Certificate?
  /// A finalization that cannot be applied yet because blocks are missing.
  var unapplied: Certificate?

  /// Final blocks are wanted though no certificate here shows that there are any.
  var isCatchingUp = false
  /// When a block became final here last, or others were found to have none.
  var progressAt = Instant.zero

  /// What this member knows of what it signed, and what the others show of it.
  var recollection: Recollection
  var restoration = Restoration()

  var schedule: LeaderSchedule
  var pacemaker: Pacemaker
  var fetching: Fetching
  var answering: Answering

  // Leading.
  var waitingSince: Instant?
  var building: BuildRequest?
  /// When this member voted notarize in the current view.
  var votedAt: Instant?
  /// When the latest blocks became final here, oldest first; at most ``ConsensusConfiguration/blockBurst``.
  var recentFinality: [Instant] = []
  /// The reason to wait last said in this view, to say each once.
  var lastWaiting: ConsensusObservation?

  // Timers as they are set.
  var armed: [Instant?] = [nil, nil, nil, nil]
  var retryAt: Instant?

  // The turn.
  var now = Instant.zero
  var effects: [ConsensusEffect] = []

  /// One turn.
  public mutating func handle(_ event: ConsensusEvent, at time: Instant) -> [ConsensusEffect] {
    guard !isHalted else { return [] }
    now = max(now, time)
    switch event {
    case .start: start()
    case .received(let message, let sender): receive(message.value, from: sender)
    case .timer(let timer):
      armed[Int(timer.rawValue)] = nil
      if timer == .retry, let due = retryAt, due <= now { retry() }
    case .transactionsWaiting(let waiting):
      if !waiting { waitingSince = nil } else if waitingSince == nil { waitingSince = now }
    case .built(let view, let body, let stateRoot): built(view: view, body: body, stateRoot: stateRoot)
    case .nothingToBuild(let view): nothingToBuild(view: view)
    case .validated(let hash, let validation): validated(hash, validation)
    case .adopted(let header, let certificate, let era): adopt(header, certificate, era)
    }
    settle()
    defer { effects = [] }
    return effects
  }

  /// Does everything that follows from what is known, until nothing more does.
  mutating func settle() {
    var before: (era: Era, view: View)
    repeat {
      before = (era, view)
      applyFinalization()
      executeCertified()
      considerProposal()
      pace()
    } while (era, view) != before && !isHalted
  }

  mutating func emit(_ effect: ConsensusEffect) { effects.append(effect) }
  /// To every other member. An observer says nothing.
  mutating func broadcast(_ message: ConsensusMessage) {
    if me != nil { emit(.broadcast(message)) }
  }

  mutating func observe(_ observation: ConsensusObservation) { effects.append(.observe(observation)) }

  mutating func halt(_ reason: String) {
    guard !isHalted else { return }
    isHalted = true
    emit(.halt(reason))
  }

  // MARK: Small questions

  /// Whether nothing is known to be final that is missing here.
  public var hasCaughtUp: Bool { isStarted && unapplied == nil && !isCatchingUp }

  /// Views of which something is kept, and blocks that are not final: what memory goes into.
  public var load: (views: Int, blocks: Int) { (rounds.count, tree.count) }

  var quorum: Quorum { membership.quorum }
  func plants(_ defect: PlantedDefect) -> Bool { configuration.planted == defect }
  var leader: MemberIndex { schedule.leader(of: view) }

  func round(_ view: View) -> Round { rounds[view] ?? Round(members: quorum.members) }

  mutating func withRound<Result>(_ view: View, _ body: (inout Round) -> Result) -> Result {
    let members = quorum.members
    return body(&rounds[view, default: Round(members: members)])
  }

  /// The block by hash, if it is the final one or in the tree.
  func reference(_ hash: Digest) -> BlockReference? {
    hash == finalized.hash ? finalized : tree[hash]?.reference
  }

  func isExecuted(_ hash: Digest) -> Bool { hash == finalized.hash || tree[hash]?.execution == .valid }
}
