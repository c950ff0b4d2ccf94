import FixtureSupport
import Messages
import Testing

@testable import Bus

@Suite(.serialized, .limit(minutes: 1))
struct PublicationTests {
  @Test(arguments: Transport.allCases)
  func `messages come in order and without gaps`(transport: Transport) async throws {
    let link = try await Link.make(transport)
    let publisher = try await link.second.register(beta, mailboxCapacity: 4)
    let subscriber = try await link.first.register(alpha, mailboxCapacity: 4096)
    try await link.first.subscribe(alpha, to: beta, topic: .ledger)
    for index in 0..<1_000 { try link.second.publish(from: publisher, topic: .ledger, body: body(index)) }
    // Another topic is another stream, and not ours.
    try link.second.publish(from: publisher, topic: .consensus, body: body(9_999))
    let taken = await publications(subscriber) { $0.count == 1_000 }
    #expect(taken.map(\.number) == Array(0..<1_000))
    #expect(taken.allSatisfy { $0.gap == 0 })
    await link.shutdown()
  }

  @Test func `what libzmq drops is fetched before a gap is reported`() async throws {
    var options = SocketOptions()
    (options.sendHighWaterMessages, options.receiveHighWaterMessages) = (1, 1)
    var limits = BusLimits()
    limits.keptMessages = 5_000
    let bus = try Bus(configuration: BusConfiguration(limits: limits, socketOptions: options))
    let publisher = try await bus.register(beta, mailboxCapacity: 4)
    let subscriber = try await bus.register(alpha, mailboxCapacity: 8_192)
    try await bus.subscribe(alpha, to: beta, topic: .consensus)
    for index in 0..<3_000 { try bus.publish(from: publisher, topic: .consensus, body: body(index)) }
    let taken = await publications(subscriber) { $0.count == 3_000 }
    #expect(taken.map(\.number) == Array(0..<3_000))
    let counters = await bus.counters()
    #expect(counters.gaps == 0)
    #expect(counters.fetched > 0)
    await bus.shutdown()
  }

  @Test func `what the publisher no longer keeps is counted`() async throws {
    var limits = BusLimits()
    limits.keptMessages = 8
    limits.heldMessages = 8
    let bus = try Bus(configuration: BusConfiguration(limits: limits))
    let publisher = try await bus.register(beta, mailboxCapacity: 4)
    let subscriber = try await bus.register(alpha, mailboxCapacity: 4)
    try await bus.subscribe(alpha, to: beta, topic: .consensus)
    try bus.publish(from: publisher, topic: .consensus, body: body(0))
    let first = await publications(subscriber) { $0.count == 1 }
    #expect(first.map(\.number) == [0])
    // Nobody takes anything meanwhile: four fit, the others stay with the publisher until it drops them.
    for index in 1..<2_000 { try bus.publish(from: publisher, topic: .consensus, body: body(index)) }
    _ = await bus.counters()
    let taken = await publications(subscriber) { $0.last?.number == 1_999 }
    #expect(taken.map(\.number) == taken.map(\.number).sorted())
    // Every number is either delivered or counted just before the one that follows it.
    var next = 1
    for (gap, number) in taken {
      #expect(number == next + gap)
      next = number + 1
    }
    #expect(next == 2_000)
    #expect(await bus.counters().gaps > 0)
    await bus.shutdown()
  }

  @Test func `a slow subscriber lags but misses nothing that is kept`() async throws {
    let bus = try Bus()
    let publisher = try await bus.register(beta, mailboxCapacity: 4)
    let slow = try await bus.register(alpha, mailboxCapacity: 3)
    let quick = try await bus.register(gamma, mailboxCapacity: 1_024)
    try await bus.subscribe(alpha, to: beta, topic: .ledger)
    try await bus.subscribe(gamma, to: beta, topic: .ledger)
    for index in 0..<500 { try bus.publish(from: publisher, topic: .ledger, body: body(index)) }
    // The quick one is not held up by the slow one.
    #expect(await publications(quick) { $0.count == 500 }.map(\.number) == Array(0..<500))
    #expect(await publications(slow) { $0.count == 500 }.map(\.number) == Array(0..<500))
    #expect(await bus.counters().publicationsDeferred > 0)
    await bus.shutdown()
  }

  @Test(arguments: Transport.allCases)
  func `a late subscriber begins with what is kept, or with the latest`(transport: Transport) async throws {
    let link = try await Link.make(transport)
    let publisher = try await link.second.register(beta, mailboxCapacity: 4)
    for index in 0..<10 { try link.second.publish(from: publisher, topic: .ledger, body: body(index)) }
    let all = try await link.first.register(alpha, mailboxCapacity: 64)
    try await link.first.subscribe(alpha, to: beta, topic: .ledger)
    #expect(await publications(all) { $0.count == 10 }.map(\.number) == Array(0..<10))
    if transport != .tcp {
      // Over tcp this key may speak for alpha only.
      let new = try await link.first.register(gamma, mailboxCapacity: 64)
      let before = await link.second.counters().fetchesServed
      try await link.first.subscribe(gamma, to: beta, topic: .ledger, startingAt: .latest)
      while await link.second.counters().fetchesServed == before { await Task.yield() }
      try link.second.publish(from: publisher, topic: .ledger, body: body(10))
      #expect(await publications(new) { $0.count == 1 }.map(\.number) == [10])
    }
    await link.shutdown()
  }

  @Test func `a restarted publisher is recognised and followed`() async throws {
    let (first, path) = (try Bus(), freshPath())
    try await first.route(beta, to: .ipc(path: path))
    let subscriber = try await first.register(alpha, mailboxCapacity: 64)
    try await first.subscribe(alpha, to: beta, topic: .consensus)
    for life in 0..<3 {
      let second = try Bus()
      try await second.bind(.ipc(path: path))
      let publisher = try await second.register(beta, mailboxCapacity: 4)
      for index in 0..<3 { try second.publish(from: publisher, topic: .consensus, body: body(life * 10 + index)) }
      #expect(await publications(subscriber) { $0.count == 3 }.map(\.number) == (0..<3).map { life * 10 + $0 })
      await second.shutdown()
    }
    #expect(await first.counters().publisherRestarts == 2)
    #expect(await first.counters().gaps == 0)
    await first.shutdown()
  }

  @Test func `a publisher that comes back publishing on another port is found`() async throws {
    let (ownKeys, keys) = (try CurveKeyPair.generate(), try CurveKeyPair.generate())
    var impatient = BusConfiguration(keys: ownKeys)
    impatient.limits.silence = .milliseconds(200)
    let first = try Bus(configuration: impatient)
    let subscriber = try await first.register(alpha, mailboxCapacity: 64)
    var endpoint = BusEndpoint.tcp(host: "127.0.0.1", port: 0)
    for life in 0..<2 {
      let admission = Admission(ownKeys.publicKey, as: [alpha])
      let second = try Bus(configuration: BusConfiguration(keys: keys, admissions: [admission]))
      endpoint = try await second.bind(endpoint)
      let publisher = try await second.register(beta, mailboxCapacity: 4)
      if life == 0 {
        try await first.route(beta, to: endpoint, serverKey: keys.publicKey)
        try await first.subscribe(alpha, to: beta, topic: .consensus)
      }
      try second.publish(from: publisher, topic: .consensus, body: body(life))
      #expect(await publications(subscriber) { $0.count == 1 }.map(\.number) == [life])
      await second.shutdown()
    }
    #expect(await first.counters().publisherRestarts == 1)
    await first.shutdown()
  }

  @Test func `a publisher that moved is followed to its new place`() async throws {
    let (here, old, new) = (try Bus(), try Bus(), try Bus())
    let subscriber = try await here.register(alpha, mailboxCapacity: 64)
    let oldPlace = try await old.bind(.ipc(path: freshPath()))
    let newPlace = try await new.bind(.ipc(path: freshPath()))
    try await here.route(beta, to: oldPlace)
    try await here.subscribe(alpha, to: beta, topic: .consensus)
    let oldPublisher = try await old.register(beta, mailboxCapacity: 4)
    try old.publish(from: oldPublisher, topic: .consensus, body: body(1))
    #expect(await publications(subscriber) { $0.count == 1 }.map(\.number) == [1])
    try await here.route(beta, to: newPlace)
    let newPublisher = try await new.register(beta, mailboxCapacity: 4)
    try new.publish(from: newPublisher, topic: .consensus, body: body(2))
    #expect(await publications(subscriber) { $0.count == 1 }.map(\.number) == [2])
    for bus in [here, old, new] { await bus.shutdown() }
  }

  @Test func `only what is registered can subscribe, and once is enough`() async throws {
    let bus = try Bus()
    #expect(
      await failure { () async throws(BusError) in
        try await bus.subscribe(alpha, to: beta, topic: .ledger)
      } == .notRegistered(alpha))
    let subscriber = try await bus.register(alpha, mailboxCapacity: 64)
    try await bus.subscribe(alpha, to: beta, topic: .ledger)
    try await bus.subscribe(alpha, to: beta, topic: .ledger)
    let publisher = try await bus.register(beta, mailboxCapacity: 4)
    for index in 0..<2 { try bus.publish(from: publisher, topic: .ledger, body: body(index)) }
    #expect(await publications(subscriber) { $0.count == 2 }.map(\.number) == [0, 1])
    await bus.shutdown()
  }
}
