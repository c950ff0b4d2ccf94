import Messages
import Testing

@testable import Bus

/// A small, good generator (Steele, Lea, Flood 2014), so that a seed replays a failure.
struct SplitMix {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }

  mutating func chance(_ percent: UInt64) -> Bool { next() % 100 < percent }
}

/// The stream alone, against a publisher and a network that lose, repeat, reorder, refuse and restart.
struct SubscriptionStreamTests {
  @Test(arguments: UInt64(1)...40)
  func `nothing is repeated, reordered or lost without being counted`(seed: UInt64) {
    var random = SplitMix(seed)
    var limits = BusLimits()
    limits.keptMessages = 12
    limits.heldMessages = 5
    limits.fetchedMessages = 4
    var outlet = Outlet(PublicationKey(publisher: beta, topic: .ledger))
    var stream = SubscriptionStream(start: .oldestKept, limits: limits)
    var onTheWay: [(UInt64, [UInt8])] = []
    var question: (from: UInt64, count: UInt64)?
    var room = 3
    /// What should come next in this life, judged from outside.
    var expected: UInt64 = 1
    var (isFirst, isPausing) = (true, false)

    func step() {
      let asked = stream.advance { gap, body in
        guard room > 0 else { return false }
        room -= 1
        let sequence = UInt64(number(body))
        if isFirst { expected = sequence - gap }
        #expect(sequence == expected + gap, "seed \(seed)")
        (expected, isFirst) = (sequence + 1, false)
        return true
      }
      switch asked {
      case .nothing: break
      case .fetch(let from, let count): question = (from, count)
      case .retry: isPausing = true
      }
    }

    func answer() {
      guard let (from, count) = question else { return }
      question = nil
      if random.chance(20) {
        stream.fetchFailed()
      } else {
        let query = FetchQuery(topic: .ledger, from: from, count: count)
        _ = stream.fetched(outlet.fetch(query, publicationPort: 0, limits: limits))
      }
      step()
    }

    step()
    for _ in 0..<3_000 {
      switch random.next() % 8 {
      case 0...2:
        let sequence = outlet.append(body(Int(outlet.latest) + 1), limits: limits)
        if random.chance(70) { onTheWay.append((sequence, body(Int(sequence)))) }
      case 3, 4:
        guard !onTheWay.isEmpty else { continue }
        let index = Int(random.next() % UInt64(min(3, onTheWay.count)))
        let (sequence, message) = random.chance(10) ? onTheWay[index] : onTheWay.remove(at: index)
        _ = stream.received(message, incarnation: outlet.incarnation, sequence: sequence)
        step()
      case 5: answer()
      case 6:
        room = min(room + 2, 6)
        stream.roomAvailable()
        step()
      default:
        if isPausing {
          isPausing = false
          stream.pauseEnded()
          step()
        }
      }
    }
    // Quiet at last: announcements and answers bring the subscriber to the end.
    _ = stream.heard(incarnation: outlet.incarnation, latest: outlet.latest)
    for _ in 0..<200 {
      room = 100
      stream.roomAvailable()
      if isPausing {
        isPausing = false
        stream.pauseEnded()
      }
      step()
      answer()
    }
    #expect(stream.next == outlet.latest + 1, "seed \(seed)")
    #expect(expected + stream.lost == outlet.latest + 1 || isFirst, "seed \(seed)")
  }

  @Test func `a restart is seen, its unfinished past is counted, and its ghost ignored`() {
    var stream = SubscriptionStream(start: .oldestKept, limits: BusLimits())
    var delivered: [(UInt64, [UInt8])] = []
    func advance() -> SubscriptionStream.Step {
      stream.advance { gap, body in
        delivered.append((gap, body))
        return true
      }
    }
    #expect(advance() == .fetch(from: 1, count: 0))
    _ = stream.fetched(
      FetchedMessages(incarnation: 7, publicationPort: 0, oldest: 1, latest: 0, first: 1, bodies: []))
    #expect(stream.received([1], incarnation: 7, sequence: 1) == .none)
    #expect(advance() == .nothing)
    // Numbers 2 and 3 are known to exist when the publisher loses them with its life.
    #expect(stream.heard(incarnation: 7, latest: 3) == .none)
    #expect(advance() == .fetch(from: 2, count: 2))
    #expect(stream.received([11], incarnation: 8, sequence: 1) == .restarted)
    #expect(advance() == .nothing)
    #expect(delivered.map(\.0) == [0, 2])
    #expect(stream.received([2], incarnation: 7, sequence: 2) == .repeated)
    // The answer that was on its way belongs to the old life.
    let old = FetchedMessages(incarnation: 7, publicationPort: 0, oldest: 1, latest: 3, first: 2, bodies: [[2], [3]])
    #expect(stream.fetched(old) == .repeated)
    #expect(advance() == .nothing)
    #expect(delivered.map(\.1) == [[1], [11]])
  }

  @Test func `a publisher that cannot be reached costs a counted gap, not the stream`() {
    var limits = BusLimits()
    limits.fetchAttempts = 2
    var stream = SubscriptionStream(start: .latest, limits: limits)
    var delivered: [(UInt64, [UInt8])] = []
    func advance() -> SubscriptionStream.Step {
      stream.advance { gap, body in
        delivered.append((gap, body))
        return true
      }
    }
    #expect(advance() == .fetch(from: 1, count: 0))
    _ = stream.fetched(
      FetchedMessages(incarnation: 7, publicationPort: 0, oldest: 1, latest: 4, first: 1, bodies: []))
    #expect(stream.received([8], incarnation: 7, sequence: 8) == .none)
    #expect(advance() == .fetch(from: 5, count: 3))
    stream.fetchFailed()
    #expect(advance() == .retry(afterMs: SubscriptionStream.firstPauseMs))
    #expect(advance() == .nothing)
    stream.pauseEnded()
    #expect(advance() == .fetch(from: 5, count: 3))
    stream.fetchFailed()
    #expect(advance() == .nothing)
    #expect(delivered.map(\.0) == [3] && delivered.map(\.1) == [[8]])
  }

  @Test(arguments: UInt64(1)...10)
  func `deadlines come out in order and dead ones can be dropped`(seed: UInt64) {
    var random = SplitMix(seed)
    var queue = DeadlineQueue()
    for index in 0..<500 {
      queue.add(.request(UInt64(index)), at: MonotonicInstant(nanoseconds: random.next() % 1_000))
    }
    queue.compact { if case .request(let id) = $0 { id % 2 == 0 } else { false } }
    #expect(queue.count == 250)
    var last = MonotonicInstant(nanoseconds: 0)
    while let (at, _) = queue.next {
      #expect(at >= last, "seed \(seed)")
      last = at
      queue.removeNext()
    }
    #expect(queue.count == 0)
  }

  @Test func `the queue keeps its order while it is cut`() {
    var queue = FirstInFirstOut<Int>()
    for value in 0..<100 { queue.append(value) }
    #expect(queue.popFirst(30) == Array(0..<30))
    queue.removeAll { $0.isMultiple(of: 2) }
    #expect(queue[0] == 31 && queue[34] == 99 && queue[35] == nil && queue[-1] == nil)
    #expect(queue.popFirst(1_000) == stride(from: 31, through: 99, by: 2).map { $0 })
    #expect(queue.isEmpty && queue.popFirst() == nil)
  }
}
