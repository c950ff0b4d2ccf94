/// One subscriber's view of one publisher's numbered messages: puts them in order, asks for what is missing, and says
/// how many were lost for good. A value without I/O: events go in, ``advance(_:)`` says what to do next.
///
/// Safety: a message is delivered at most once and never out of order (only number `next` is offered, and `next` only
/// grows within an incarnation). Honesty: every number skipped is added to `lost` and reported with the next message.
struct SubscriptionStream {
  /// What the events of the outside meant, for the counters.
  enum Effect: Equatable { case none, repeated, restarted, fetched(Int) }

  enum Step: Equatable {
    case nothing
    /// Ask the publisher for `count` messages from `from`; 0 asks only for its position.
    case fetch(from: UInt64, count: UInt64)
    case retry(afterMs: Int64)
  }

  private enum Fetching: Equatable {
    case no
    case asked(isPosition: Bool)
    /// Pausing after a failure.
    case pausing
    /// The pause must still be asked for.
    case failed
  }

  static let retiredIncarnations = 4
  static let firstPauseMs: Int64 = 50
  static let maximumPauseMs: Int64 = 1_600

  private let start: StartingPoint
  private let limits: BusLimits
  /// Nil until the publisher has told its position.
  private(set) var incarnation: UInt64?
  private var retired: [UInt64] = []
  /// The number to deliver next.
  private(set) var next: UInt64 = 1
  /// The highest number known to have been published.
  private(set) var seen: UInt64 = 0
  /// Numbers given up just before `next`.
  private(set) var lost: UInt64 = 0
  /// Messages at or after `next` that wait for an earlier one, or for room.
  private var held: [UInt64: [UInt8]] = [:]
  private var heldBytes = 0
  private var fetching = Fetching.no
  private var failures = 0
  private var hasRoom = true
  private var wantsPosition = true

  init(start: StartingPoint, limits: BusLimits) {
    self.start = start
    self.limits = limits
  }

  // MARK: Events

  mutating func received(_ body: [UInt8], incarnation: UInt64, sequence: UInt64) -> Effect {
    guard sequence >= 1 else { return .repeated }
    let effect = heard(incarnation: incarnation, latest: sequence)
    guard self.incarnation == incarnation, sequence >= next, held[sequence] == nil else {
      return effect == .none && self.incarnation != nil ? .repeated : effect
    }
    hold(body, sequence, isForced: false)
    return effect
  }

  /// The publisher says that `latest` is its newest number.
  mutating func heard(incarnation: UInt64, latest: UInt64) -> Effect {
    // Before the first position there is nothing to compare with; the position will cover this message.
    guard let known = self.incarnation else { return .none }
    var effect = Effect.none
    if incarnation != known {
      if retired.contains(incarnation) { return .repeated }
      restart(as: incarnation)
      effect = .restarted
    }
    seen = max(seen, latest)
    return effect
  }

  mutating func fetched(_ answer: FetchedMessages) -> Effect {
    guard case .asked(let isPosition) = fetching else { return .none }
    fetching = .no
    if retired.contains(answer.incarnation) { return .repeated }
    var effect = Effect.none
    if let known = incarnation {
      if known != answer.incarnation {
        restart(as: answer.incarnation)
        effect = .restarted
      }
    } else {
      incarnation = answer.incarnation
      next = start == .oldestKept ? answer.oldest : answer.latest + 1
      seen = answer.latest
    }
    if isPosition { wantsPosition = false }
    seen = max(seen, answer.latest)
    let before = next
    skip(to: answer.oldest)
    var count = 0
    for (offset, body) in answer.bodies.enumerated() {
      let sequence = answer.first + UInt64(offset)
      if sequence >= next, held[sequence] == nil {
        hold(body, sequence, isForced: true)
        count += 1
      }
    }
    if isPosition || count > 0 || next != before {
      failures = 0
    } else if effect == .none, next <= seen, held[next] == nil {
      // The publisher answered and gave nothing it said it has: no better than no answer.
      noteFailure()
    }
    return effect == .none && count > 0 ? .fetched(count) : effect
  }

  mutating func fetchFailed() {
    guard case .asked = fetching else { return }
    noteFailure()
  }

  mutating func pauseEnded() { if fetching == .pausing { fetching = .no } }

  mutating func roomAvailable() { hasRoom = true }

  /// Nothing was heard for long: ask where the publisher is.
  mutating func silenceNoticed() { wantsPosition = true }

  // MARK: What to do

  /// Offers what can be delivered, then says what is needed. Call after every event.
  /// - Parameter offer: gap and body; false when there is no room (call ``roomAvailable()`` later).
  mutating func advance(_ offer: (UInt64, [UInt8]) -> Bool) -> Step {
    while hasRoom, let body = held[next] {
      guard offer(lost, body) else {
        hasRoom = false
        break
      }
      held[next] = nil
      heldBytes -= body.count
      lost = 0
      next += 1
    }
    switch fetching {
    case .asked, .pausing: return .nothing
    case .failed:
      fetching = .pausing
      return .retry(afterMs: min(Self.maximumPauseMs, Self.firstPauseMs << Int64(min(failures - 1, 10))))
    case .no: break
    }
    if wantsPosition {
      fetching = .asked(isPosition: true)
      return .fetch(from: next, count: 0)
    }
    guard hasRoom, next <= seen, held[next] == nil else { return .nothing }
    fetching = .asked(isPosition: false)
    return .fetch(from: next, count: min(missingThrough - next + 1, UInt64(limits.fetchedMessages)))
  }

  // MARK: -

  /// The end of the run of missing numbers that starts at `next`.
  private var missingThrough: UInt64 { held.keys.min().map { $0 - 1 } ?? seen }

  private mutating func hold(_ body: [UInt8], _ sequence: UInt64, isForced: Bool) {
    let fits = held.count < limits.heldMessages && heldBytes + body.count <= limits.heldBytes
    // The next message is always taken: without it nothing moves.
    guard isForced || fits || sequence == next else { return }
    held[sequence] = body
    heldBytes += body.count
  }

  /// Gives up the numbers below `oldest`, except those held.
  private mutating func skip(to oldest: UInt64) {
    guard oldest > next, held[next] == nil else { return }
    let end = min(oldest, held.keys.min() ?? oldest)
    lost += end - next
    next = end
  }

  private mutating func restart(as new: UInt64) {
    if let old = incarnation { retired = (retired + [old]).suffix(Self.retiredIncarnations) }
    if seen >= next { lost += seen - next + 1 }
    incarnation = new
    next = 1
    seen = 0
    held.removeAll()
    heldBytes = 0
    failures = 0
  }

  private mutating func noteFailure() {
    failures += 1
    fetching = .failed
    guard incarnation != nil, failures >= limits.fetchAttempts, next <= seen, held[next] == nil else { return }
    skip(to: missingThrough + 1)
    failures = 0
    fetching = .no
  }
}
