import Bus
import Effects
import FixtureSupport
import Messages
import Signing
import Testing
import Wire

@testable import Hosting

/// Datagrams through a host: what they wait for, and what they never wait for.
@Suite(.limit(minutes: 1))
struct PacketTests {
  /// A port of the host's own, one of whoever talks to it, and what arrives at either.
  private struct Wires {
    let plane: DataPlane
    let host: DataAddress
    let arrivals: AsyncStream<[Datagram]>
    let peer: DataAddress
    let answers: AsyncStream<[Datagram]>

    init() throws {
      plane = DataPlane()
      (host, arrivals) = try plane.open()
      (peer, answers) = try plane.open()
    }

    func send(_ byte: UInt8) { plane.send([Datagram(from: peer, to: host, bytes: [byte])]) }
  }

  /// Sends every datagram back, and speaks to askers only when a record is durable.
  private static func echo(_ handled: Log<UInt8>? = nil) -> Toy {
    Toy("alpha", as: .contract) { event, _ in
      switch event {
      case .datagrams(let datagrams):
        return [.transmit(datagrams.map { Datagram(from: $0.destination, to: $0.source, bytes: $0.bytes) })]
      case .request(let token, _, let message):
        handled?.add(message.value.number)
        return message.value.number == Message.getStatus.number
          ? [.persist(put), .reply(token, .acknowledged)] : [.reply(token, .acknowledged)]
      default: return []
      }
    }
  }

  @Test func `packets flow while a commit stalls; what is signed waits for it`() async throws {
    let wires = try Wires()
    let store = MemoryStore(isHeld: true)
    let scene = try await Scene(Self.echo(), store: store, dataPlane: wires.plane, arrivals: [wires.arrivals])
    let answered = Log<Result<Message, RemoteError>>()
    let asking = Task { answered.add(await scene.ask(.getStatus, deadline: .seconds(30))) }
    await store.untilHeld()
    var answers = wires.answers.makeAsyncIterator()
    for number in UInt8(0)..<100 {
      wires.send(number)
      #expect(await answers.next()?.map(\.bytes) == [[number]])
    }
    #expect(answered.all.isEmpty)
    #expect(await store.committed.isEmpty)
    await store.release()
    await asking.value
    #expect(answered.all == [.success(.acknowledged)])
    try await scene.end()
    wires.plane.shutdown()
  }

  @Test func `timers send packets while a commit stalls`() async throws {
    let wires = try Wires()
    let (host, peer) = (wires.host, wires.peer)
    let store = MemoryStore(isHeld: true)
    let core = Toy("alpha", as: .contract) { event, now in
      switch event {
      case .started: return [.persist(put), .setTimer(TimerID(1), at: now + .milliseconds(1))]
      case .timer(let timer):
        let next = TimerID(1, timer.index + 1)
        return [
          .transmit([Datagram(from: host, to: peer, bytes: [UInt8(timer.index)])]),
          .setTimer(next, at: now + .milliseconds(1)),
        ]
      default: return []
      }
    }
    let scene = try await Scene(core, store: store, dataPlane: wires.plane, arrivals: [wires.arrivals])
    await store.untilHeld()
    var answers = wires.answers.makeAsyncIterator()
    var received: [[UInt8]] = []
    while received.count < 20 { received += (await answers.next() ?? []).map(\.bytes) }
    #expect(received.prefix(20) == (0..<20).map { [$0] }[...])
    #expect(await store.committed.isEmpty)
    await store.release()
    try await scene.end()
    wires.plane.shutdown()
  }

  @Test func `what is handled behind a commit is said after it, in order, with its own records durable`() async throws {
    let handled = Log<UInt8>()
    let store = MemoryStore(isHeld: true)
    let scene = try await Scene(Self.echo(handled), store: store)
    let answered = Log<String>()
    var asking: [Task<Void, Never>] = []
    for (name, message) in [("first", Message.getStatus), ("second", .getTerms), ("third", .getStatus)] {
      asking.append(Task { if case .success = await scene.ask(message, deadline: .seconds(30)) { answered.add(name) } })
      // The core has it, though the first one's record is not durable.
      _ = await handled.first(1)
    }
    #expect(answered.all.isEmpty)
    await store.release()
    for task in asking { await task.value }
    #expect(Set(answered.all) == ["first", "second", "third"])
    #expect(await store.committed == [[put], [put]])
    try await scene.end()
  }

  @Test func `a commit that fails lets nothing out that was handled behind it`() async throws {
    let handled = Log<UInt8>()
    let store = MemoryStore(isHeld: true, failsWhenReleased: true)
    let scene = try await Scene(Self.echo(handled), store: store)
    var asking: [Task<Result<Message, RemoteError>, Never>] = []
    for _ in 0..<2 {
      asking.append(Task { await scene.ask(.getStatus) })
      _ = await handled.first(1)
    }
    await store.release()
    await #expect(throws: MemoryStore.Broken.self) { try await scene.work.value }
    for task in asking {
      let answer = await task.value
      #expect(throws: RemoteError.self) { try answer.get() }
    }
    await scene.bus.shutdown()
  }

  @Test func `a core that halts behind a commit handles nothing more, and says what came before`() async throws {
    let store = MemoryStore(isHeld: true)
    let handled = Log<UInt8>()
    let core = Toy("alpha", as: .contract) { event, _ in
      guard case .request(let token, _, let message) = event else { return [] }
      handled.add(message.value.number)
      return message.value.number == Message.getStatus.number
        ? [.persist(put), .reply(token, .acknowledged)] : [.reply(token, .acknowledged), .halt(HaltReason("the end"))]
    }
    let scene = try await Scene(core, store: store)
    let first = Task { await scene.ask(.getStatus, deadline: .seconds(30)) }
    _ = await handled.first(1)
    let second = Task { await scene.ask(.getTerms, deadline: .seconds(30)) }
    _ = await handled.first(1)
    await store.release()
    #expect(await first.value == .success(.acknowledged))
    #expect(await second.value == .success(.acknowledged))
    await #expect(throws: HaltReason("the end")) { try await scene.work.value }
    await scene.bus.shutdown()
  }
}
