import FixtureSupport
import Messages
import Testing

@testable import Bus

@Suite(.serialized, .limit(minutes: 1))
struct RequestTests {
  @Test(arguments: Transport.allCases)
  func `an answer comes back over every transport`(transport: Transport) async throws {
    let link = try await Link.make(transport)
    let service = echo(try await link.second.register(beta, mailboxCapacity: 64), on: link.second)
    for size in [0, 1, 255, 70_000, 1 << 20] {
      let sent = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
      #expect(try await link.first.request(from: alpha, to: beta, body: sent, deadline: .seconds(20)) == sent)
    }
    let counters = await link.first.counters()
    #expect(counters.requestsSent == 5 && counters.answersReceived == 5)
    await link.shutdown()
    await service.value
  }

  @Test(arguments: Transport.allCases)
  func `many in flight each get their own answer`(transport: Transport) async throws {
    let link = try await Link.make(transport)
    let service = echo(try await link.second.register(beta, mailboxCapacity: 4096), on: link.second)
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for index in 0..<2_000 {
        group.addTask {
          let answer = try await link.first.request(from: alpha, to: beta, body: body(index), deadline: .seconds(30))
          return answer == body(index)
        }
      }
      for try await isOwn in group { #expect(isOwn) }
    }
    await link.shutdown()
    await service.value
  }

  @Test func `answers may come in any order`() async throws {
    let bus = try Bus()
    let (asker, asked) = (
      try await bus.register(alpha, mailboxCapacity: 16), try await bus.register(beta, mailboxCapacity: 16)
    )
    for index in 0..<5 { try bus.send(UInt64(index), from: asker, to: beta, body: body(index), deadline: .seconds(20)) }
    var waiting: [(Ticket, [UInt8])] = []
    while waiting.count < 5, let batch = await asked.nextBatch(max: 16) {
      for case .request(let ticket, let from, let body) in batch {
        #expect(from == alpha)
        waiting.append((ticket, body))
      }
    }
    for (ticket, body) in waiting.reversed() { bus.reply(ticket, .success(body)) }
    var order: [UInt64] = []
    while order.count < 5, let batch = await asker.nextBatch(max: 16) {
      for case .response(let id, let result) in batch {
        #expect(try number(result.get()) == Int(id))
        order.append(id)
      }
    }
    #expect(order == [4, 3, 2, 1, 0])
    await bus.shutdown()
  }

  @Test(arguments: Transport.allCases)
  func `an error arrives with its code and text`(transport: Transport) async throws {
    let link = try await Link.make(transport)
    let asked = try await link.second.register(beta, mailboxCapacity: 4)
    async let refused = link.first.request(from: alpha, to: beta, body: [1], deadline: .seconds(20))
    guard case .request(let ticket, _, _)? = await asked.nextBatch(max: 1)?.first else { return #expect(Bool(false)) }
    // Two bytes per character: cut to what the other side accepts, inside a character.
    link.second.reply(ticket, .failure(RemoteError(.failedPrecondition, String(repeating: "é", count: 400))))
    do {
      _ = try await refused
      #expect(Bool(false))
    } catch let error as RemoteError {
      #expect(error.code == .failedPrecondition)
      #expect(error.text.hasPrefix("ééé") && error.text.utf8.count <= RemoteError.maximumTextBytes)
    }
    await link.shutdown()
  }

  @Test(arguments: Transport.allCases)
  func `an actor that is not there is not found`(transport: Transport) async throws {
    let link = try await Link.make(transport)
    #expect(
      await failure { () async throws(RemoteError) in
        try await link.first.request(from: alpha, to: beta, body: [], deadline: .seconds(20))
      } == .notFound)
    #expect(
      await failure { () async throws(RemoteError) in
        try await link.first.request(from: alpha, to: gamma, body: [], deadline: .seconds(20))
      } == .notFound)
    await link.shutdown()
  }

  @Test func `silence ends at the deadline and a late reply is dropped`() async throws {
    let link = try await Link.make(.ipc)
    let asked = try await link.second.register(beta, mailboxCapacity: 4)
    #expect(
      await failure { () async throws(RemoteError) in
        try await link.first.request(from: alpha, to: beta, body: [], deadline: .milliseconds(400))
      } == .deadlineExceeded)
    guard case .request(let ticket, _, _)? = await asked.nextBatch(max: 1)?.first else { return #expect(Bool(false)) }
    link.second.reply(ticket, .success([]))
    let (first, second) = (await link.first.counters(), await link.second.counters())
    #expect(first.deadlinesExceeded == 1)
    // Either side may have been the first to notice, by a millisecond.
    #expect(second.repliesWithoutTicket + second.answersSent == 1)
    await link.shutdown()
  }

  @Test func `an unreachable peer is unavailable at the deadline`() async throws {
    let bus = try Bus()
    try await bus.route(beta, to: .ipc(path: freshPath()))
    #expect(
      await failure { () async throws(RemoteError) in
        try await bus.request(from: alpha, to: beta, body: [], deadline: .milliseconds(50))
      } == .unavailable)
    await bus.shutdown()
  }

  @Test func `a request waits for a peer that starts later`() async throws {
    let (first, second, path) = (try Bus(), try Bus(), freshPath())
    try await first.route(beta, to: .ipc(path: path))
    async let answer = first.request(from: alpha, to: beta, body: [7], deadline: .seconds(30))
    let service = echo(try await second.register(beta, mailboxCapacity: 4), on: second)
    try await second.bind(.ipc(path: path))
    #expect(try await answer == [7])
    await first.shutdown()
    await second.shutdown()
    await service.value
  }

  @Test func `cancelling the task cancels the request`() async throws {
    let link = try await Link.make(.ipc)
    let asked = try await link.second.register(beta, mailboxCapacity: 4)
    let task = Task { () async -> RemoteError.Code? in
      await failure { () async throws(RemoteError) in
        try await link.first.request(from: alpha, to: beta, body: [], deadline: .seconds(50))
      }
    }
    guard case .request(let ticket, _, _)? = await asked.nextBatch(max: 1)?.first else { return #expect(Bool(false)) }
    task.cancel()
    #expect(await task.value == .cancelled)
    link.second.reply(ticket, .success([]))
    // An answer after it on the same connection proves the late one has been seen.
    let service = echo(asked, on: link.second)
    _ = try await link.first.request(from: alpha, to: beta, body: [], deadline: .seconds(20))
    #expect(await link.first.counters().lateReplies == 1)
    #expect(await link.first.counters().cancelled == 1)
    await link.shutdown()
    await service.value
  }

  @Test func `a task cancelled before it asks gets cancelled`() async throws {
    let bus = try Bus()
    let asked = try await bus.register(beta, mailboxCapacity: 4)
    let task = Task { () async -> RemoteError.Code? in
      withUnsafeCurrentTask { $0?.cancel() }
      return await failure { () async throws(RemoteError) in
        try await bus.request(from: alpha, to: beta, body: [], deadline: .seconds(50))
      }
    }
    #expect(await task.value == .cancelled)
    await bus.shutdown()
    _ = asked
  }

  @Test(arguments: Transport.allCases)
  func `a full mailbox refuses at once and keeps what it has`(transport: Transport) async throws {
    let link = try await Link.make(transport)
    let asked = try await link.second.register(beta, mailboxCapacity: 2)
    let asker = try await link.first.register(alpha, mailboxCapacity: 3)
    for index in 0..<3 { try link.first.send(UInt64(index), from: asker, to: beta, body: [], deadline: .seconds(30)) }
    // A fourth has no place reserved for its answer.
    #expect(throws: RemoteError.self) {
      try link.first.send(3, from: asker, to: beta, body: [], deadline: .seconds(30))
    }
    guard case .response(2, .failure(let error))? = await asker.nextBatch(max: 1)?.first else {
      return #expect(Bool(false))
    }
    #expect(error.code == .tooManyRequests)
    #expect(asked.count == 2)
    #expect(await link.second.counters().refusedMailboxFull == 1)
    await link.shutdown()
  }

  @Test func `an actor that leaves tells its askers`() async throws {
    let bus = try Bus()
    let asked = try await bus.register(beta, mailboxCapacity: 4)
    let asker = try await bus.register(alpha, mailboxCapacity: 4)
    try bus.send(1, from: asker, to: beta, body: [], deadline: .seconds(30))
    guard case .request(let ticket, _, _)? = await asked.nextBatch(max: 1)?.first else { return #expect(Bool(false)) }
    try await bus.unregister(beta)
    guard case .response(1, .failure(let error))? = await asker.nextBatch(max: 1)?.first else {
      return #expect(Bool(false))
    }
    #expect(error.code == .unavailable)
    #expect(await asked.nextBatch(max: 1) == nil)
    bus.reply(ticket, .success([]))
    #expect(await bus.counters().repliesWithoutTicket == 1)
    #expect(await failure { () async throws(BusError) in try await bus.unregister(beta) } == .notRegistered(beta))
    await bus.shutdown()
  }
}
