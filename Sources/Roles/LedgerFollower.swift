import Effects
import Messages
import Signing

/// Follows the finalized chain through one member at a time: blocks come out once each, in order of height. A segment
/// is verified (its certificate) before it gets here; this checks that it continues the chain already seen, so a
/// member can withhold but never make up. A member that is silent, sends what does not fit, or says there is nothing
/// new though another member's publication shows there is, is passed over; so is one that lets the ledger stand still.
struct LedgerFollower: Sendable {
  static let timerPurpose: UInt16 = 1
  static let requestDeadline = Span.seconds(2)
  /// Without a block for so many heartbeats (an idle ledger makes one each), another member is asked.
  static let patienceHeartbeats: Int64 = 3

  private enum State: Sendable {
    /// Publications bring the next block; the timer looks whether they do.
    case listening
    case asking(RequestID)
    /// The last answer was of no use; the timer asks again.
    case pausing
  }

  /// Members to follow, preferred first. Who leaves is asked no more, who joins is asked last.
  private(set) var sources: [ActorAddress]
  /// As many members' publications as it takes for one of them to be honest: ⌊(n − 1) / 3⌋ + 1. Each copy of a block
  /// costs a certificate's verification; questions still go to any member. Fixed for the role's life, whoever is a
  /// member later: when those that it listens to are gone, it asks.
  let subscriptions: [Subscription]
  private(set) var nextHeight: Height = 1
  private var lastHash: Digest
  private var state = State.listening
  private var source = 0
  private var backoff = Backoff()
  private let patience: Span
  /// What the timer saw last.
  private var heightAtTimer: Height = 0
  /// Some member's publication proves that the chain is this high.
  private var provenHeight: Height = 0
  /// False until an answer showed that nothing is missing.
  private(set) var hasCaughtUp = false
  /// Chain time of the last block.
  private(set) var lastTime: Instant

  init(genesis: Genesis, sources: [ActorAddress]) {
    self.sources = sources
    subscriptions = sources.prefix((sources.count - 1) / 3 + 1).map { Subscription($0, .ledger) }
    lastHash = genesis.networkID
    lastTime = genesis.time
    patience = genesis.parameters.heartbeat * Self.patienceHeartbeats
  }

  var height: Height { nextHeight - 1 }
  var tip: LedgerTip { LedgerTip(height: height, hash: lastHash, time: lastTime) }

  mutating func start(_ turn: inout Turn, _ numbers: inout RequestNumbers) { ask(&turn, &numbers) }

  /// A published segment. Returns the blocks that are new and fit.
  mutating func published(_ segment: LedgerSegment, _ turn: inout Turn, _ numbers: inout RequestNumbers) -> [Block] {
    let blocks = take(segment, &turn)
    if let last = segment.blocks.last { provenHeight = max(provenHeight, last.header.height) }
    if blocks.isEmpty, provenHeight > height, case .listening = state { ask(&turn, &numbers) }
    return blocks
  }

  /// The answer to a request of this follower: at most as many blocks as one answer holds, so that a long history does
  /// not stop the role from doing anything else. Nil when the request is not its own.
  mutating func response(
    _ id: RequestID, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn,
    _ numbers: inout RequestNumbers
  ) -> [Block]? {
    guard case .asking(id) = state else { return nil }
    guard case .success(let verified) = result, case .consensus(.segments(let segments)) = verified.value else {
      pause(&turn)
      return []
    }
    var blocks: [Block] = []
    for segment in segments { blocks += take(segment, &turn) }
    if !blocks.isEmpty {
      backoff.succeeded()
      ask(&turn, &numbers)
    } else if segments.allSatisfy({ ($0.blocks.last?.header.height ?? 0) <= height }), provenHeight <= height {
      hasCaughtUp = true
      backoff.succeeded()
      listen(&turn)
    } else {
      pause(&turn)
    }
    return blocks
  }

  mutating func timer(_ turn: inout Turn, _ numbers: inout RequestNumbers) {
    switch state {
    case .asking: break
    case .pausing: ask(&turn, &numbers)
    case .listening where height > heightAtTimer: listen(&turn)
    case .listening:
      source = (source + 1) % sources.count
      ask(&turn, &numbers)
    }
  }

  private mutating func ask(_ turn: inout Turn, _ numbers: inout RequestNumbers) {
    let id = numbers.next()
    state = .asking(id)
    turn.add(
      .request(
        id, to: sources[source], .consensus(.getSegments(from: nextHeight)), deadline: Self.requestDeadline))
  }

  private mutating func listen(_ turn: inout Turn) {
    state = .listening
    heightAtTimer = height
    turn.add(.setTimer(TimerID(Self.timerPurpose), at: turn.now + patience))
  }

  private mutating func pause(_ turn: inout Turn) {
    state = .pausing
    source = (source + 1) % sources.count
    turn.add(.setTimer(TimerID(Self.timerPurpose), at: turn.now + backoff.failed()))
  }

  private mutating func begin(_ era: EraRecord) {
    let members = era.members.map { ActorAddress(.validator, $0.name) }
    let current = sources[source]
    sources = sources.filter { members.contains($0) } + members.filter { !sources.contains($0) }
    source = sources.firstIndex(of: current) ?? 0
  }

  private mutating func take(_ segment: LedgerSegment, _ turn: inout Turn) -> [Block] {
    var blocks: [Block] = []
    var previous = lastHash
    for block in segment.blocks where block.header.height >= nextHeight + Height(blocks.count) {
      guard block.header.height == nextHeight + Height(blocks.count), block.header.parentHash == previous else {
        if block.header.height == nextHeight { turn.count("ledger.segmentRefused") }
        return []
      }
      previous = block.hash
      blocks.append(block)
    }
    if let last = blocks.last {
      lastHash = previous
      lastTime = last.header.time
      nextHeight = last.header.height + 1
      if let next = segment.nextEra { begin(next) }
    }
    return blocks
  }
}
