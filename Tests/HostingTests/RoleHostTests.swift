import Bus
import Effects
import FixtureSupport
import Messages
import Signing
import Testing
import Wire

@testable import Hosting

/// What a core may rely on, told with toy cores over a real bus.
@Suite(.limit(minutes: 1))
struct RoleHostTests {
  @Test func `nothing leaves before what it depends on is durable`() async throws {
    let store = MemoryStore(isHeld: true)
    let core = Toy("alpha") { event, _ in
      guard case .request(let token, _, _) = event else { return [] }
      // The order in the list is the promise, wherever in the turn the record stands.
      return [.persist(put), .reply(token, .acknowledged)]
    }
    let scene = try await Scene(core, store: store)
    let answered = Log<Result<Message, RemoteError>>()
    let asking = Task { answered.add(await scene.ask(.getStatus)) }
    await store.untilHeld()
    #expect(answered.all.isEmpty)
    #expect(await store.committed.isEmpty)
    await store.release()
    await asking.value
    #expect(answered.all == [.success(.acknowledged)])
    #expect(await store.committed == [[put]])
    try await scene.end()
  }

  @Test func `a commit that fails stops the host, and nothing leaves`() async throws {
    let core = Toy("alpha") { event, _ in
      guard case .request(let token, _, _) = event else { return [] }
      return [.reply(token, .acknowledged), .persist(put)]
    }
    let scene = try await Scene(core, store: MemoryStore(isBroken: true))
    let answer = await scene.ask(.getStatus)
    #expect(throws: RemoteError.self) { try answer.get() }
    await #expect(throws: MemoryStore.Broken.self) { try await scene.work.value }
    await scene.bus.shutdown()
  }

  @Test func `a core that halts handles nothing more; what it said before still leaves`() async throws {
    let handled = Log<UInt8>()
    let core = Toy("alpha") { event, _ in
      guard case .request(let token, _, let message) = event else { return [] }
      handled.add(message.value.number)
      return [.reply(token, .acknowledged), .halt(HaltReason("the end")), .publish(.ledger, .acknowledged)]
    }
    let scene = try await Scene(core)
    #expect(await scene.ask(.getStatus) == .success(.acknowledged))
    await #expect(throws: HaltReason("the end")) { try await scene.work.value }
    let answer = await scene.ask(.getTerms)
    #expect(throws: RemoteError.self) { try answer.get() }
    #expect(handled.all == [Message.getStatus.number])
    await scene.bus.shutdown()
  }

  @Test func `a role that has nothing to say goes on hearing`() async throws {
    let core = Toy("alpha") { event, _ in
      guard case .request(let token, _, let message) = event, case .consensus = message.value else { return [] }
      return [.reply(token, .acknowledged)]
    }
    let scene = try await Scene(core)
    await withTaskGroup(of: Void.self) { group in
      for _ in 0...RoleHost.turnEvents * 2 {
        group.addTask { _ = await scene.ask(.getStatus, deadline: .seconds(1)) }
      }
    }
    #expect(await scene.ask(.consensus(.getSegments(from: 1))) == .success(.acknowledged))
    try await scene.end()
  }

  @Test func `timers fire once, in order of their instants, and not after they were cancelled or moved`() async throws {
    let fired = Log<UInt64>()
    let core = Toy("alpha") { event, now in
      switch event {
      case .started:
        return [
          .setTimer(TimerID(1, 3), at: now + .milliseconds(3)), .setTimer(TimerID(1, 1), at: now + .milliseconds(1)),
          .setTimer(TimerID(1, 2), at: now + .milliseconds(2)), .setTimer(TimerID(1, 9), at: now + .milliseconds(2)),
          // Cancelled in the very turn in which it is due.
          .setTimer(TimerID(1, 8), at: .zero), .cancelTimer(TimerID(1, 8)),
        ]
      case .timer(let timer):
        fired.add(timer.index)
        return timer.index == 1
          ? [.cancelTimer(TimerID(1, 9)), .setTimer(TimerID(1, 2), at: now + .milliseconds(50))] : []
      default: return []
      }
    }
    let scene = try await Scene(core)
    #expect(await fired.first(3) == [1, 3, 2])
    try await scene.end()
    #expect(fired.all == [1, 3, 2])
  }

  @Test func `a core reads back what it made durable in the same turn`() async throws {
    let recalled = Log<[StoredRecord]>()
    let core = Toy("alpha") { event, _ in
      switch event {
      case .started:
        return [
          .recall(RequestID(1), stream: 1, from: 1, limit: 8), .persist(.put(stream: 1, key: 0, bytes: [0])),
          .persist(put),
        ]
      case .recalled(RequestID(1), let records):
        recalled.add(records)
        return []
      default: return []
      }
    }
    let scene = try await Scene(core, store: MemoryStore())
    #expect(await recalled.first(1) == [[StoredRecord(stream: 1, key: 1, bytes: [1])]])
    try await scene.end()
  }

  @Test func `an own request is answered exactly once, also when nobody is there`() async throws {
    let answers = Log<RemoteError.Code?>()
    let core = Toy("alpha") { event, _ in
      switch event {
      case .started:
        return [
          .request(
            RequestID(7), to: ActorAddress(.client, "nobody"), .getStatus, deadline: .milliseconds(200))
        ]
      case .response(RequestID(7), .failure(let error)):
        answers.add(error.code)
        return []
      default: return []
      }
    }
    let scene = try await Scene(core)
    #expect(await answers.first(1) == [.notFound])
    try await scene.end()
  }

  @Test func `while a commit is held back events gather in the bounded inbox and later share one turn`() async throws {
    let store = MemoryStore(isHeld: true)
    let core = Toy("alpha") { event, _ in
      guard case .request(let token, _, _) = event else { return [] }
      return [.persist(put), .reply(token, .acknowledged)]
    }
    let scene = try await Scene(core, store: store)
    let requests = 600
    let answers = Task {
      await withTaskGroup(of: Bool.self) { group in
        for _ in 0..<requests {
          group.addTask { await scene.ask(.getStatus, deadline: .seconds(20)) == .success(.acknowledged) }
        }
        return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
      }
    }
    await store.untilHeld()
    // Everybody has asked: what the bus has delivered waits for the first commit.
    while await scene.bus.counters().requestsDelivered < UInt64(requests) { await Task.yield() }
    await store.release()
    #expect(await answers.value == requests)
    let commits = await store.committed
    #expect(commits.joined().count == requests)
    #expect(commits.count < requests / 10)
    #expect(commits.allSatisfy { $0.count <= 2 * RoleHost.turnEvents })
    try await scene.end()
  }

  enum Nonsense: String, CaseIterable {
    case noMessage, nesting, nestingInTransaction, lengthThatIsNotThere

    var body: [UInt8] {
      switch self {
      case .noMessage: [0xFF, 0]
      case .nesting: Array(repeating: 0x81, count: 1 << 20) + [0xF6]
      case .nestingInTransaction: [0x82, 13] + Array(repeating: 0x81, count: 1 << 20)
      case .lengthThatIsNotThere: [0x82, 13, 0x5B] + Array(repeating: 0xFF, count: 8)
      }
    }
  }

  @Test(arguments: Nonsense.allCases)
  func `what cannot be decoded is counted and its asker told; the core never sees it`(nonsense: Nonsense) async throws {
    let seen = Log<UInt8>()
    let counted = Log<String>()
    let core = Toy("alpha") { event, _ in
      guard case .request(let token, _, let message) = event else { return [] }
      seen.add(message.value.number)
      return [.reply(token, .acknowledged)]
    }
    let scene = try await Scene(core) { _, observation in
      if case .counted(let name, _) = observation { counted.add(name) }
    }
    await #expect(throws: RemoteError.self) {
      _ = try await scene.bus.request(
        from: ActorAddress(.client, "asker"), to: scene.host.address, body: nonsense.body, deadline: .seconds(20))
    }
    #expect(await counted.first(1) == ["refused.malformed"])
    #expect(await scene.ask(.getStatus) == .success(.acknowledged))
    #expect(seen.all == [Message.getStatus.number])
    try await scene.end()
  }

  @Test func `a stop ends the turn that is under way, and takes the role off the bus`() async throws {
    let store = MemoryStore(isHeld: true)
    let core = Toy("alpha") { event, _ in
      guard case .request(let token, _, _) = event else { return [] }
      return [.persist(put), .reply(token, .acknowledged)]
    }
    let scene = try await Scene(core, store: store)
    async let answer = scene.ask(.getStatus)
    await store.untilHeld()
    await scene.host.stop()
    await store.release()
    try await scene.work.value
    #expect(await answer == .success(.acknowledged))
    let late = await scene.ask(.getStatus)
    #expect(throws: RemoteError.self) { try late.get() }
    await scene.bus.shutdown()
  }

  @Test func `the end of the bus is an orderly end of its hosts`() async throws {
    let scene = try await Scene(Toy("alpha") { _, _ in [] })
    await scene.bus.shutdown()
    try await scene.work.value
  }

  @Test func `datagrams come in order, with the time of their arrival`() async throws {
    let plane = DataPlane()
    let (here, arrivals) = try plane.open()
    let (there, _) = try plane.open()
    let received = Log<Datagram>()
    let core = Toy("alpha") { event, now in
      switch event {
      case .started:
        return [.transmit((0..<100).map { Datagram(from: there, to: here, bytes: [UInt8($0)]) })]
      case .datagrams(let datagrams):
        for datagram in datagrams { received.add(datagram) }
        return []
      default: return []
      }
    }
    let before = WallClock.now()
    let scene = try await Scene(core, dataPlane: plane, arrivals: [arrivals])
    let datagrams = await received.first(100)
    #expect(datagrams.map(\.bytes) == (0..<100).map { [UInt8($0)] })
    #expect(datagrams.allSatisfy { $0.source == there && $0.destination == here })
    #expect(datagrams.allSatisfy { before <= $0.at && $0.at <= WallClock.now() })
    #expect(zip(datagrams, datagrams.dropFirst()).allSatisfy { $0.at <= $1.at })
    try await scene.end()
    plane.shutdown()
  }
}
