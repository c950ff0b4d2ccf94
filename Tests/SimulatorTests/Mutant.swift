import Effects
import Messages
import Signing
import Testing

@testable import Consensus
@testable import Ledger
@testable import Roles
@testable import Simulator

/// Mistakes that members could make, each with the world in which it shows and the rules that it breaks: a checker that
/// never fails is not one (R3).
enum Mutant: CaseIterable, Sendable, CustomTestStringConvertible {
  case speaksBeforeItsRecord
  case forgetsEverything
  case doesNotStoreItsProposal
  case doesNotStoreEvidence
  case accusesTheHonest
  case executesAgainAfterRestart
  case executesInItsOwnOrder
  case quorumOf2fPlus1
  case certificateOneShort
  case ownVotesNotCountedAgain
  case gapWithoutNullification
  case finalizesAfterNullify
  case finalizesAnotherBlock
  case notarizesEveryProposal
  case signsBelowTheMark
  case blockTimeUnchecked
  case neverRepeats
  case neverSkips

  var testDescription: String { "\(self)" }

  /// The mistake inside consensus; nil for those around it.
  private var planted: PlantedDefect? { PlantedDefect.allCases.first { "\($0)" == "\(self)" } }

  /// One of these must be found broken.
  var breaks: Set<Check> {
    switch self {
    case .speaksBeforeItsRecord: [.durableFirst]
    case .forgetsEverything: [.votesAgree, .oneChain, .neverBack]
    case .doesNotStoreItsProposal: [.durableFirst]
    case .doesNotStoreEvidence: [.equivocationKept]
    case .accusesTheHonest: [.honestNeverNamed]
    case .executesAgainAfterRestart: [.executedOnce]
    case .executesInItsOwnOrder: [.honestNeverNamed, .keepsRunning]
    case .quorumOf2fPlus1, .certificateOneShort: [.quorums]
    case .ownVotesNotCountedAgain: [.progressAfterCrash]
    case .gapWithoutNullification: [.gapsNullified]
    case .finalizesAfterNullify, .finalizesAnotherBlock, .notarizesEveryProposal: [.votesAgree]
    case .signsBelowTheMark: [.neverBack]
    case .blockTimeUnchecked: [.blockTime]
    case .neverRepeats: [.progress, .progressAfterCrash]
    case .neverSkips: [.deadLeaderSkipped]
    }
  }

  /// - Parameter isPlanted: false gives the same world with correct members, in which nothing may be found.
  func trial(seed: UInt64, isPlanted: Bool = true) throws -> MemberTrial {
    var trial = MemberTrial(members: try Self.six.get(), seed: seed)
    trial.views = 20
    trial.timeLimit = .seconds(20)
    arrange(&trial)
    if isPlanted { (trial.disguise, trial.stopsAt) = (disguise, breaks) }
    return trial
  }

  private static let six = Result { try Members(transfers: 200) }
  /// Few transfers come again soon.
  private static let few = Result { try Members(transfers: 20) }
  private static let four = Result { try Members(operators: 4, regulators: 0, transfers: 200) }

  private func arrange(_ trial: inout MemberTrial) {
    switch self {
    case .forgetsEverything, .executesAgainAfterRestart, .signsBelowTheMark:
      if let few = try? Self.few.get() { trial = MemberTrial(members: few, seed: trial.seed) }
      trial.views = 20
      let at = Span.milliseconds(1_500 + Int64(trial.seed) * 37)
      trial.faults = trial.members.validators.map { .crash($0, at: at, down: .milliseconds(500)) }
      trial.healedAt = World.start + at + .seconds(1)
      trial.timeLimit = .seconds(10)
    case .doesNotStoreEvidence, .finalizesAnotherBlock, .notarizesEveryProposal:
      trial.liar = .misconduct(1, .equivocation)
    case .blockTimeUnchecked: trial.liar = .misconduct(1, .bentTime)
    case .certificateOneShort: alone(&trial)
    case .ownVotesNotCountedAgain:
      // The leader of view 1 never comes. The others cannot hear each other, each nullifies alone, and all die; when
      // they are back they hear each other, and nothing but these votes will ever be said in view 1.
      alone(&trial)
      trial.dead = [1]
      for member in [0, 2, 3].map({ trial.members.validators[$0] }) {
        trial.faults.append(.isolate(member, at: .zero, during: .seconds(4)))
        trial.faults.append(.crash(member, at: .milliseconds(3_500), down: .seconds(1)))
      }
      trial.healedAt = World.start + .seconds(5)
    case .finalizesAfterNullify: trial = .chaos(seed: trial.seed, trial.members, views: 40)
    case .neverRepeats:
      // What is lost is never seen, and one member more may not miss anything.
      alone(&trial)
      trial.dead = [3]
      trial.conditions.publicationLoss = 400_000
      trial.conditions.gaps = 1_000_000
      trial.views = 10
    case .neverSkips:
      trial.dead = [2]
      trial.views = 40
    default: break
    }
  }

  private func alone(_ trial: inout MemberTrial) {
    guard let four = try? Self.four.get() else { return }
    let (seed, limit) = (trial.seed, trial.timeLimit)
    trial = MemberTrial(members: four, seed: seed)
    trial.views = 20
    trial.timeLimit = limit
  }

  private func disguise(
    _ member: MemberIndex, _ life: UInt64, _ core: ValidatorCore, _ records: [StoredRecord]
  ) throws -> any RoleCore {
    // With a journal, replay finds the view again: this one has lost it, and has the blocks from another member.
    if self == .signsBelowTheMark, life > 1 {
      let log = records.filter { $0.stream != ValidatorCore.Stream.journal }
      return try core.planted(.signsBelowTheMark, recovering: log)
    }
    if let planted { return try core.planted(planted, recovering: records) }
    switch self {
    case .forgetsEverything: return life == 1 ? core : try ValidatorCore(core.configuration, recovering: [])
    case .executesAgainAfterRestart: return life == 1 ? core : core.forgettingNonces()
    case .executesInItsOwnOrder: return member == 2 ? core.executing(inItsOwnWay: member) : core
    case .accusesTheHonest: return member == 0 ? FalseWitness(core) : core
    default: return CarelessHost(core: core, mutant: self)
    }
  }
}

/// A correct core behind a host that does not do what it is told, in the order in which it is told.
struct CarelessHost: RoleCore {
  var core: ValidatorCore
  let mutant: Mutant
  var address: ActorAddress { core.address }
  var subscriptions: [Subscription] { core.subscriptions }

  mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
    let effects = core.handle(event, at: now)
    switch mutant {
    case .speaksBeforeItsRecord: return effects.filter { !$0.isPersist } + effects.filter(\.isPersist)
    case .doesNotStoreItsProposal: return effects.filter { !$0.isProposalRecord }
    case .doesNotStoreEvidence: return effects.filter { !$0.isEvidenceRecord }
    default: return effects
    }
  }
}

/// Takes the first two blocks that it sees somebody vote for, in whatever views, for a contradiction.
struct FalseWitness: RoleCore {
  private var core: ValidatorCore
  private var first: Vote?
  private var hasAccused = false
  var address: ActorAddress { core.address }
  var subscriptions: [Subscription] { core.subscriptions }

  init(_ core: ValidatorCore) { self.core = core }

  mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
    let effects = core.handle(event, at: now)
    guard !hasAccused, case .published(_, _, let message) = event, case .consensus(.vote(let vote)) = message.value,
      case .notarize = vote.ballot
    else { return effects }
    guard let first, first.member == vote.member, first.ballot != vote.ballot else {
      first = first ?? vote
      return effects
    }
    hasAccused = true
    let evidence = ConsensusEvidence.conflictingNotarize(first, vote)
    return [.persist(.put(stream: ValidatorCore.Stream.evidence, key: 4_000, bytes: evidence.encoded))] + effects
  }
}

extension ValidatorCore {
  /// The same member with a mistake in its consensus.
  fileprivate func planted(_ defect: PlantedDefect, recovering records: [StoredRecord]) throws -> ValidatorCore {
    var core = self
    var configuration = consensus.configuration
    configuration.planted = defect
    var journal: [ConsensusRecord] = []
    var last: LedgerSegment?
    for record in records {
      switch record.stream {
      case Stream.journal: journal.append(try ConsensusRecord(decoding: record.bytes))
      case Stream.segments: last = try LedgerSegment(decoding: record.bytes)
      default: break
      }
    }
    core.consensus = ConsensusCore(
      configuration: configuration, finalized: last?.blocks.last?.header, finalization: last?.finalization,
      replaying: journal)
    return core
  }

  /// The same member after a restart that lost which nonces were used.
  fileprivate func forgettingNonces() -> ValidatorCore {
    var core = self
    let range = KeyedMerkleTree<LedgerRecord>.prefixRange(LedgerKey.noncePrefix)
    var nonces: [[UInt8]] = []
    core.executions.final.tree.forEach(from: range.from, before: range.before) { key, _ in
      nonces.append(key)
      return true
    }
    for nonce in nonces { _ = core.executions.final.tree.remove(nonce) }
    return core
  }

  /// The same member whose state depends on something else than the blocks, as iterating a Set would make it.
  fileprivate func executing(inItsOwnWay member: MemberIndex) -> ValidatorCore {
    var core = self
    core.executions.final.tree.set(LedgerKey.noncePrefix + [UInt8(clamping: member)], .totals(ledger.totals))
    return core
  }
}

extension Effect {
  fileprivate var isPersist: Bool { if case .persist = self { true } else { false } }

  /// A leader's own vote stands in its proposal's record.
  fileprivate var isProposalRecord: Bool {
    guard case .persist(.put(ValidatorCore.Stream.journal, let key, _)) = self else { return false }
    return key % ConsensusRecord.firstKey(of: 1, era: 0) == 0
  }

  fileprivate var isEvidenceRecord: Bool {
    if case .persist(.put(ValidatorCore.Stream.evidence, _, _)) = self { true } else { false }
  }
}
