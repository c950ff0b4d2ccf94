import Effects
import Messages
import Roles
import Signing

/// L1–L4: what must happen after the last fault is over, counted in views, and in requests of those that were away.
/// Times are the run's limit: whoever never gets there is told at its end.
struct LivenessCheck {
  /// Views in which a new block must become final, in turns of all leaders: f bad ones in a row, one that proposes, one
  /// whose block makes it final.
  static func maximumTurns(_ consortium: Consortium) -> UInt64 { UInt64(consortium.maximumFaulty()) + 2 }
  /// Questions that a member asks before it can know how far it is behind.
  static let freeRequests = 64

  /// What has happened since the last fault was over.
  fileprivate struct Healing {
    let at: Instant
    /// The highest final height then, and the highest view anybody honest had voted in.
    let height: Height
    let view: View
    var requests: [Int]
    /// Per member: the view of its first final block above ``height``.
    var progress: [View?]
    /// Per member: how far it was behind; nil once it has caught up.
    var lag: [Height?]
    /// Transactions passed on since, and the highest view then.
    var waiting: [Digest: View] = [:]
  }

  private let members: [ActorAddress: MemberIndex]
  private let maximumViews: UInt64
  private var healing: Healing?
  private var everybodyCrashed = false
  private var found = Violations()

  init(genesis: Genesis, faulty: Set<MemberIndex>) {
    let consortium = Consortium(genesis: genesis, faulty: faulty)
    members = Dictionary(
      uniqueKeysWithValues: genesis.members.enumerated().map { index, member in
        (ActorAddress(.validator, member.name), MemberIndex(index))
      })
    maximumViews = Self.maximumTurns(consortium) * UInt64(consortium.count)
  }

  var isHealed: Bool { healing != nil }

  /// - Parameter all: that every member was down at one time.
  mutating func crashed(all: Bool) { everybodyCrashed = everybodyCrashed || all }

  /// The last fault is over.
  mutating func healed(_ monitor: SafetyMonitor, at now: Instant) {
    let heights = (0..<monitor.consortium.count).map { monitor.chain.height(of: MemberIndex($0)) }
    let highest = monitor.chain.highest.height
    healing = Healing(
      at: now, height: highest, view: max(monitor.votes.highestView, monitor.chain.highest.view),
      requests: heights.map { _ in 0 }, progress: heights.map { _ in nil },
      lag: heights.map { $0 < highest ? highest - $0 : nil })
  }

  mutating func inspect(_ effect: Effect, by actor: ActorAddress, _ monitor: SafetyMonitor, at now: Instant) {
    guard healing != nil, let member = members[actor], monitor.consortium.isHonest(member) else { return }
    switch effect {
    case .request(_, _, .consensus(let message), _):
      switch message {
      case .getBlock, .getCertificates, .getSegments: healing?.requests[Int(member)] += 1
      default: break
      }
    case .publish(.transactions, .transaction(let transaction)):
      guard healing?.waiting[transaction.id] == nil else { return }
      healing?.waiting[transaction.id] = monitor.votes.highestView
    case .publish(.ledger, .ledger(let segment)):
      let rule = rule
      let name = monitor.consortium.name(member)
      healing?.finalized(segment, by: member, name, rule, maximumViews: maximumViews, at: now, &found)
    default: break
    }
  }

  private var rule: Check { everybodyCrashed ? .progressAfterCrash : .progress }

  /// What did not hold, at the end of a run.
  /// - Parameter up: members that are up.
  mutating func verdict(up: [MemberIndex], _ monitor: SafetyMonitor, at now: Instant) -> [Violation] {
    let honest = up.filter { monitor.consortium.isHonest($0) }
    guard let healing, honest.count >= monitor.consortium.quorum() else { return found.all }
    for member in honest where healing.progress[Int(member)] == nil {
      found.add(
        rule, "\(monitor.consortium.name(member)) has finalized nothing in \(now - healing.at) since all faults ended",
        at: now)
    }
    return found.all
  }
}

extension LivenessCheck.Healing {
  fileprivate mutating func finalized(
    _ segment: LedgerSegment, by member: MemberIndex, _ name: String, _ rule: Check, maximumViews: UInt64,
    at now: Instant, _ found: inout Violations
  ) {
    if let behind = lag[Int(member)], let last = segment.blocks.last?.header, last.height >= height {
      lag[Int(member)] = nil
      if requests[Int(member)] > LivenessCheck.freeRequests + Int(clamping: behind) {
        found.add(.catchingUp, "\(name) asked \(requests[Int(member)]) times for \(behind) blocks", at: now)
      }
    }
    for block in segment.blocks where block.header.height > height {
      let reached = block.header.view
      if progress[Int(member)] == nil {
        progress[Int(member)] = reached
        if reached > view + maximumViews {
          found.add(rule, "\(name) finalizes view \(reached) next after view \(view) had healed", at: now)
        }
      }
      guard !waiting.isEmpty else { continue }
      for envelope in block.body.transactions {
        guard let since = waiting.removeValue(forKey: envelope.digest), reached > since + maximumViews else { continue }
        found.add(.inclusion, "a transaction passed on in view \(since) is final in view \(reached)", at: now)
      }
    }
  }
}
