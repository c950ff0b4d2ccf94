import FixtureSupport
import Messages
import Testing
import Wire

@testable import Bus

/// What is counted on the bus: every message once at each end, with the bytes of its frames.
@Suite(.serialized, .limit(minutes: 1))
struct TrafficTests {
  @Test(arguments: Transport.allCases)
  func `a call and its answer count once at each end, by what they say they are`(transport: Transport) async throws {
    let link = try await Link.make(transport)
    let server = echo(try await link.second.register(beta, mailboxCapacity: 8), on: link.second)
    let body = Message.getTerms.encoded
    for _ in 0..<5 {
      _ = try await link.first.request(from: alpha, to: beta, body: body, deadline: .seconds(10))
    }
    await link.shutdown()
    await server.value
    let isInside = transport == .inproc
    let call = TrafficKind(.call, .message(.getTerms), isInside: isInside)
    let answer = TrafficKind(.answer, .message(.getTerms), isInside: isInside)
    let (first, second) = (await link.first.counters().traffic, await link.second.counters().traffic)
    #expect(first[call].sent.messages == 5 && second[call].received == first[call].sent)
    #expect(second[answer].sent.messages == 5 && first[answer].received == second[answer].sent)
    // The bodies, and headers that are there and small.
    let headers = Int(first[call].sent.bytes) - 5 * body.count
    #expect((5...5 * BusFrames.headerLimits.maximumBytes).contains(headers))
    let others = [first, second].map { $0.sum { $0 != call && $0 != answer } }
    #expect(others.allSatisfy { $0 == CarriedTraffic.Flow() })
  }

  @Test func `publications count by what they are, at every subscriber's process, and fetches by topic`() async throws {
    let link = try await Link.make(.ipc)
    let publisher = try await link.second.register(beta, mailboxCapacity: 4)
    let subscriber = try await link.first.register(alpha, mailboxCapacity: 64)
    try await link.first.subscribe(alpha, to: beta, topic: .consensus)
    let body = Message.consensus(.getSegments(from: 1)).encoded
    try link.second.publish(from: publisher, topic: .consensus, body: body)
    // The first may come by fetching, while the subscription is on its way; a later one comes by broadcast.
    let kind = TrafficKind(.publication, .consensus(.getSegments), isInside: false)
    while await link.first.counters().traffic[kind].received.messages == 0 {
      try link.second.publish(from: publisher, topic: .consensus, body: body)
      _ = await subscriber.nextBatch(max: 64)
    }
    await link.shutdown()
    let (first, second) = (await link.first.counters(), await link.second.counters())
    #expect(second.traffic[kind].sent.messages == second.published)
    #expect(first.traffic[kind].received.messages <= second.published)
    let fetch = TrafficKind(.fetch, .topic(.consensus), isInside: false)
    let fetched = TrafficKind(.fetched, .topic(.consensus), isInside: false)
    #expect(first.traffic[fetch].sent.messages == first.fetchesSent)
    #expect(second.traffic[fetched].sent.messages == second.fetchesServed)
    #expect(first.traffic[fetched].received == second.traffic[fetched].sent)
  }

  @Test func `what a client asks, and is told, is kept apart`() async throws {
    let bus = try Bus()
    let server = echo(try await bus.register(beta, mailboxCapacity: 8), on: bus)
    let client = ActorAddress(.client, "auditor")
    _ = try await bus.request(from: client, to: beta, body: [0], deadline: .seconds(10))
    await #expect(throws: RemoteError.self) {
      try await bus.request(from: alpha, to: gamma, body: [0], deadline: .seconds(1))
    }
    await bus.shutdown()
    await server.value
    let traffic = await bus.counters().traffic
    for form in [TrafficKind.Form.call, .answer] {
      let flow = traffic[TrafficKind(form, isInside: true, isForClient: true)]
      #expect(flow.sent == flow.received && flow.sent.messages == 1)
    }
    #expect(traffic.sum { !$0.isForClient } == CarriedTraffic.Flow())
  }

  @Test func `a kind is one word and comes back from it`() throws {
    let subjects: [TrafficKind.Subject] =
      [.nothing] + Message.Kind.allCases.map { .message($0) } + ConsensusMessage.Kind.allCases.map { .consensus($0) }
      + Topic.allCases.map { .topic($0) }
    var words: Set<String> = []
    for form in TrafficKind.Form.allCases {
      for subject in subjects {
        for (isInside, isForClient) in [(true, true), (true, false), (false, true), (false, false)] {
          let kind = TrafficKind(form, subject, isInside: isInside, isForClient: isForClient)
          #expect(TrafficKind("\(kind)") == kind)
          words.insert("\(kind)")
        }
      }
    }
    #expect(words.count == TrafficKind.Form.allCases.count * subjects.count * 4)
    #expect(words.count <= CarriedTraffic.maximumRows)
    for text in ["", "between", "between.call.", "outside.call", "between.call.nonsense", "between.client"] {
      #expect(TrafficKind(text) == nil, "\(text)")
    }
  }

  @Test func `sums, differences and reports of traffic are exact`() throws {
    let (vote, call) = (
      TrafficKind(.publication, .consensus(.vote), isInside: true), TrafficKind(.call, isInside: false)
    )
    var before = CarriedTraffic()
    for bytes in 1...3 { before.sent(vote, bytes: bytes) }
    var after = before
    after.sent(vote, bytes: 10)
    after.received(call, bytes: 7)
    #expect(after.since(before).rows.map { "\($0.kind)" } == ["\(call)", "\(vote)"])
    #expect(after.since(before)[vote].sent == CarriedTraffic.Volume(messages: 1, bytes: 10))
    var sum = before
    sum.add(after.since(before))
    #expect(sum == after)
    #expect(try CarriedTraffic(decoding: after.encoded) == after)
    #expect(after.since(after) == CarriedTraffic())
  }
}
