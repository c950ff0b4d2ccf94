import FixtureSupport
import Foundation
import Messages
import Testing
import Wire

@testable import Bus

/// A raw libzmq peer that says what it likes. Used from one test at a time.
private final class Stranger {
  let context: SocketContext
  let requests: Socket
  let publications: Socket

  init(_ kind: Socket.Kind) throws {
    context = try SocketContext()
    requests = try Socket(context, kind)
    publications = try Socket(context, .publisher)
    for socket in [requests, publications] { try SocketOptions().apply(to: socket, maximumBodyBytes: 1 << 26) }
  }

  /// Waits for the connection by trying.
  func send(_ frames: [[UInt8]]) async {
    func once() -> Socket.Sent {
      switch frames.count {
      case 1: requests.send(frames[0])
      case 2: requests.send(frames[0], frames[1])
      case 3: requests.send(frames[0], frames[1], frames[2])
      default: requests.send(frames[0], frames[1], frames[2], frames[3])
      }
    }
    while once() != .accepted { await Task.yield() }
  }

  func receive() async -> [[UInt8]] {
    while true {
      if let message = requests.receive(maximumFrames: 4, maximumFrameBytes: 1 << 26) { return message.frames }
      await Task.yield()
    }
  }

  func end() {
    requests.close()
    publications.close()
    context.terminate()
  }
}

@Suite(.serialized, .limit(minutes: 1))
struct HostileFrameTests {
  private static let good = CallHeader(
    kind: .call, id: 1, from: alpha, to: beta, budgetNanoseconds: 30_000_000_000
  ).frame

  @Test(arguments: 1...3)
  func `garbage is refused, counted, and harms nobody`(seed: UInt64) async throws {
    var random = SplitMix(seed)
    let bus = try Bus()
    let endpoint = try await bus.bind(.ipc(path: freshPath()))
    let service = echo(try await bus.register(beta, mailboxCapacity: 1_024), on: bus)
    let stranger = try Stranger(.dealer)
    #expect(stranger.requests.connect(endpoint.description) == 0)
    var bad: [[[UInt8]]] = [[[]], [[], []], [Self.good], [Self.good, [1], [2]], [Self.good, [], [], []]]
    for _ in 0..<200 {
      var header = Self.good
      switch random.next() % 4 {
      case 0: header.removeLast(Int(random.next() % UInt64(header.count)) + 1)
      case 1: header.append(UInt8(truncatingIfNeeded: random.next()))
      // The first bytes are the array's head, version and kind: no other value is legal there.
      case 2: header[Int(random.next() % 3)] ^= UInt8(random.next() % 255) + 1
      default: header = (0..<random.next() % 600).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      }
      // A fetch header with a body that is no query is malformed too.
      bad.append([header, [0xFF]])
    }
    for message in bad { await stranger.send(message) }
    await stranger.send([Self.good, [42]])
    let answer = await stranger.receive()
    #expect(answer.count == 2 && answer.last == [42], "seed \(seed)")
    let counters = await bus.counters()
    #expect(counters.malformed == UInt64(bad.count), "seed \(seed)")
    #expect(counters.requestsDelivered == 1)
    stranger.end()
    await bus.shutdown()
    await service.value
  }

  @Test func `oversize is refused and the service goes on`() async throws {
    var limits = BusLimits()
    limits.maximumBodyBytes = 1_024
    let small = try Bus(configuration: BusConfiguration(limits: limits))
    let endpoint = try await small.bind(.ipc(path: freshPath()))
    let service = echo(try await small.register(beta, mailboxCapacity: 16), on: small)
    let large = try Bus()
    try await large.route(beta, to: endpoint)
    let fits = [UInt8](repeating: 1, count: 1_024)
    #expect(try await large.request(from: alpha, to: beta, body: fits, deadline: .seconds(20)) == fits)
    // A little too long: told. Far too long: libzmq cuts the connection, and the next request makes a new one.
    #expect(
      await failure { () async throws(RemoteError) in
        try await large.request(from: alpha, to: beta, body: fits + [1], deadline: .seconds(20))
      } == .invalidArgument)
    #expect(
      await failure { () async throws(RemoteError) in
        let huge = [UInt8](repeating: 1, count: 200_000)
        return try await large.request(from: alpha, to: beta, body: huge, deadline: .milliseconds(300))
      } != nil)
    #expect(try await large.request(from: alpha, to: beta, body: fits, deadline: .seconds(20)) == fits)
    #expect(await small.counters().oversize == 1)
    // Our own limit is told before anything leaves.
    #expect(
      await failure { () async throws(RemoteError) in
        try await small.request(from: alpha, to: beta, body: fits + [1], deadline: .seconds(20))
      } == .invalidArgument)
    await large.shutdown()
    await small.shutdown()
    await service.value
  }

  @Test func `a lying peer cannot answer for another or publish nonsense`() async throws {
    let bus = try Bus()
    let liar = try Stranger(.router)
    let path = freshPath()
    #expect(liar.requests.bind("ipc://\(path)") == 0)
    #expect(liar.publications.bind("ipc://\(path).pub") == 0)
    try await bus.route(beta, to: .ipc(path: path))
    let mailbox = try await bus.register(alpha, mailboxCapacity: 16)
    let asked = try await bus.register(gamma, mailboxCapacity: 16)
    // A request to gamma, who is here, has number 1; the liar answers it.
    async let honest = bus.request(from: alpha, to: gamma, body: [], deadline: .seconds(30))
    guard case .request(let ticket, _, _)? = await asked.nextBatch(max: 1)?.first else { return #expect(Bool(false)) }
    try bus.send(5, from: mailbox, to: beta, body: [9], deadline: .seconds(30))
    let question = await liar.receive()
    #expect(question.count == 3 && question[2] == [9])
    let (identity, own) = (question[0], try CallHeader(frame: question[1]).id)
    for forged in 1..<own {
      await liar.send([identity, AnswerHeader(isError: false, id: forged).frame, [0xBA, 0xD0]])
    }
    await liar.send([identity, [0xFF], []])
    await liar.send([identity, AnswerHeader(isError: true, id: own).frame, [0xFF]])
    await liar.send([identity, AnswerHeader(isError: false, id: own).frame, [1]])
    guard case .response(5, .success([1]))? = await mailbox.nextBatch(max: 1)?.first else {
      return #expect(Bool(false))
    }
    bus.reply(ticket, .success([7]))
    #expect(try await honest == [7])
    let counters = await bus.counters()
    #expect(counters.lateReplies == own - 1 && counters.malformed == 2)

    // Now a subscription: the liar tells a position and then publishes nonsense before one true message.
    try await bus.subscribe(alpha, to: beta, topic: .ledger)
    let fetch = await liar.receive()
    let position = FetchedMessages(incarnation: 3, publicationPort: 0, oldest: 1, latest: 0, first: 1, bodies: [])
    let positionHeader = AnswerHeader(isError: false, id: try CallHeader(frame: fetch[1]).id)
    await liar.send([fetch[0], positionHeader.frame, position.encoded])
    let key = PublicationKey(publisher: beta, topic: .ledger).frame
    let header = PublicationHeader(isAnnouncement: false, incarnation: 3, sequence: 1).frame
    // The subscription reaches a PUB socket in its own time: repeat until it has.
    while mailbox.count == 0 {
      _ = liar.publications.send(key)
      _ = liar.publications.send(key, [0xFF], [1])
      _ = liar.publications.send(key, header)
      _ = liar.publications.send(key, header, [8])
      await Task.yield()
    }
    guard case .publication(beta, .ledger, gap: 0, body: [8])? = await mailbox.nextBatch(max: 1)?.first else {
      return #expect(Bool(false))
    }
    #expect(await bus.counters().malformed > 2)
    liar.end()
    for file in [path, path + ".pub"] { try FileManager.default.removeItem(atPath: file) }
    await bus.shutdown()
  }

  @Test func `headers decode to what was encoded and refuse every other form`() throws {
    let call = try CallHeader(frame: Self.good)
    #expect(call.from == alpha && call.to == beta && call.id == 1 && call.kind == .call)
    #expect(try AnswerHeader(frame: AnswerHeader(isError: true, id: 7).frame).isError)
    let publication = PublicationHeader(isAnnouncement: true, incarnation: 5, sequence: 6)
    #expect(try PublicationHeader(frame: publication.frame).sequence == 6)
    #expect(throws: WireError.self) { try AnswerHeader(frame: Self.good) }
    #expect(throws: WireError.self) { try CallHeader(frame: AnswerHeader(isError: false, id: 1).frame) }
    let key = PublicationKey(publisher: beta, topic: .ledger)
    #expect(PublicationKey(frame: key.frame) == key)
    for bad in [[], key.frame.dropLast(), key.frame + [0], key.frame.dropLast() + [99]] as [[UInt8]] {
      #expect(PublicationKey(frame: bad) == nil)
    }
    for lie in [(0, 0, 0), (3, 1, 3), (2, 5, 1)] as [(UInt64, UInt64, UInt64)] {
      let answer = FetchedMessages(
        incarnation: 1, publicationPort: 0, oldest: lie.0, latest: lie.1, first: lie.2, bodies: [])
      #expect(throws: WireError.self) { try FetchedMessages(decoding: answer.encoded) }
    }
  }
}
