import Effects
import Messages
import Signing

/// Follows the finalized chain through one member at a time: blocks come out once each, in order of height. A segment
/// is verified (its certificate) before it gets here; this checks that it continues the chain already seen, so a
/// member can withhold but never make up. When the member it follows is silent or sends something that does not fit,
/// the next source is asked.
struct LedgerFollower: Sendable {
  static let timerPurpose: UInt16 = 1
  static let requestDeadline = Span.seconds(2)

  /// Members to follow, preferred first.
  let sources: [ActorAddress]
  private(set) var nextHeight: Height = 1
  private var lastHash: Digest
  private var outstanding: RequestID?
  private var source = 0
  private var backoff = Backoff()
  /// False until the first answer to a request showed that nothing is missing.
  private(set) var hasCaughtUp = false
  /// Chain time of the last block.
  private(set) var lastTime: Instant

  init(genesis: Genesis, sources: [ActorAddress]) {
    self.sources = sources
    lastHash = genesis.networkID
    lastTime = genesis.time
  }

  var subscriptions: [Subscription] { sources.map { Subscription($0, .ledger) } }
  var height: Height { nextHeight - 1 }

  mutating func start(_ turn: inout Turn, _ numbers: inout RequestNumbers) { ask(&turn, &numbers) }

  /// A published segment. Returns the blocks that are new and fit.
  mutating func published(_ segment: LedgerSegment, _ turn: inout Turn, _ numbers: inout RequestNumbers) -> [Block] {
    let blocks = take(segment, &turn)
    if blocks.isEmpty, let first = segment.blocks.first, first.header.height > nextHeight { ask(&turn, &numbers) }
    return blocks
  }

  /// The answer to a request of this follower. Nil when the request is not its own.
  mutating func response(
    _ id: RequestID, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn,
    _ numbers: inout RequestNumbers
  ) -> [Block]? {
    guard id == outstanding else { return nil }
    outstanding = nil
    guard case .success(let verified) = result, case .consensus(.segments(let segments)) = verified.value else {
      retryLater(&turn)
      return []
    }
    var blocks: [Block] = []
    for segment in segments { blocks += take(segment, &turn) }
    if segments.isEmpty {
      hasCaughtUp = true
      backoff.succeeded()
    } else if blocks.isEmpty {
      retryLater(&turn)
    } else {
      backoff.succeeded()
      ask(&turn, &numbers)
    }
    return blocks
  }

  mutating func timer(_ turn: inout Turn, _ numbers: inout RequestNumbers) { ask(&turn, &numbers) }

  private mutating func ask(_ turn: inout Turn, _ numbers: inout RequestNumbers) {
    guard outstanding == nil else { return }
    let id = numbers.next()
    outstanding = id
    turn.add(
      .request(
        id, to: sources[source], .consensus(.getSegments(from: nextHeight)), deadline: Self.requestDeadline))
  }

  private mutating func retryLater(_ turn: inout Turn) {
    source = (source + 1) % sources.count
    turn.add(.setTimer(TimerID(Self.timerPurpose), at: turn.now + backoff.failed()))
  }

  private mutating func take(_ segment: LedgerSegment, _ turn: inout Turn) -> [Block] {
    var blocks: [Block] = []
    for block in segment.blocks where block.header.height >= nextHeight + Height(blocks.count) {
      guard block.header.height == nextHeight + Height(blocks.count),
        block.header.parentHash == (blocks.last?.hash ?? lastHash)
      else {
        if block.header.height == nextHeight { turn.count("ledger.segmentRefused") }
        return []
      }
      blocks.append(block)
    }
    if let last = blocks.last {
      lastHash = last.hash
      lastTime = last.header.time
      nextHeight = last.header.height + 1
    }
    return blocks
  }
}
