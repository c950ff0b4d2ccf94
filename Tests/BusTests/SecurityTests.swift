import FixtureSupport
import Foundation
import Messages
import Testing

@testable import Bus

@Suite(.serialized, .limit(minutes: 1))
struct SecurityTests {
  private struct Site {
    let server: Bus
    let endpoint: BusEndpoint
    let serverKeys: CurveKeyPair
    let enrolled: CurveKeyPair
    let service: Task<Void, Never>

    static func make() async throws -> Site {
      let (serverKeys, enrolled) = (try CurveKeyPair.generate(), try CurveKeyPair.generate())
      let admission = Admission(enrolled.publicKey, as: [alpha], anyOf: [.contract])
      let server = try Bus(configuration: BusConfiguration(keys: serverKeys, admissions: [admission]))
      let endpoint = try await server.bind(.tcp(host: "127.0.0.1", port: 0))
      let service = echo(try await server.register(beta, mailboxCapacity: 16), on: server)
      return Site(server: server, endpoint: endpoint, serverKeys: serverKeys, enrolled: enrolled, service: service)
    }

    func client(_ keys: CurveKeyPair, serverKey: CurvePublicKey? = nil) async throws -> Bus {
      let bus = try Bus(configuration: BusConfiguration(keys: keys))
      try await bus.route(beta, to: endpoint, serverKey: serverKey ?? serverKeys.publicKey)
      return bus
    }

    func end(_ clients: Bus...) async {
      for client in clients { await client.shutdown() }
      await server.shutdown()
      await service.value
    }
  }

  @Test func `an enrolled key may speak for its own actors only`() async throws {
    let site = try await Site.make()
    let client = try await site.client(site.enrolled)
    #expect(try await client.request(from: alpha, to: beta, body: [1], deadline: .seconds(20)) == [1])
    let contract = ActorAddress(.contract, "any")
    #expect(try await client.request(from: contract, to: beta, body: [2], deadline: .seconds(20)) == [2])
    #expect(
      await failure { () async throws(RemoteError) in
        try await client.request(from: gamma, to: beta, body: [3], deadline: .seconds(20))
      } == .permissionDenied)
    let counters = await site.server.counters()
    #expect(counters.refusedClaims == 1 && counters.requestsDelivered == 2)
    await site.end(client)
  }

  @Test func `a key that is not enrolled gets no connection`() async throws {
    let site = try await Site.make()
    let stranger = try await site.client(try CurveKeyPair.generate())
    #expect(
      await failure { () async throws(RemoteError) in
        try await stranger.request(from: alpha, to: beta, body: [], deadline: .seconds(1))
      } == .unavailable)
    #expect(await site.server.counters().refusedKeys >= 1)
    #expect(await site.server.counters().requestsDelivered == 0)
    // The enrolled are still served.
    let client = try await site.client(site.enrolled)
    #expect(try await client.request(from: alpha, to: beta, body: [1], deadline: .seconds(20)) == [1])
    await site.end(stranger, client)
  }

  @Test func `a server with another key is not spoken to`() async throws {
    let site = try await Site.make()
    let client = try await site.client(site.enrolled, serverKey: try CurveKeyPair.generate().publicKey)
    #expect(
      await failure { () async throws(RemoteError) in
        try await client.request(from: alpha, to: beta, body: [], deadline: .milliseconds(500))
      } == .unavailable)
    await site.end(client)
  }

  @Test func `a fetch under another's name is refused`() async throws {
    let site = try await Site.make()
    let client = try await site.client(site.enrolled)
    let mailbox = try await client.register(gamma, mailboxCapacity: 4)
    try await client.subscribe(gamma, to: beta, topic: .ledger)
    while await site.server.counters().refusedClaims == 0 { await Task.yield() }
    #expect(await site.server.counters().fetchesServed == 0)
    #expect(mailbox.count == 0)
    await site.end(client)
  }

  @Test func `a publication from a peer that does not serve the publisher is refused`() async throws {
    let (here, there) = (try Bus(), try Bus())
    let mailbox = try await here.register(alpha, mailboxCapacity: 16)
    let place = try await there.bind(.ipc(path: freshPath()))
    try await here.route(beta, to: place)
    try await here.subscribe(alpha, to: beta, topic: .consensus)
    let publisher = try await there.register(beta, mailboxCapacity: 1)
    try there.publish(from: publisher, topic: .consensus, body: body(1))
    #expect(await publications(mailbox) { $0.count == 1 }.map(\.number) == [1])
    // From now on somebody else is beta; the old place goes on publishing in its name.
    try await here.route(beta, to: .ipc(path: freshPath()))
    while await here.counters().refusedClaims == 0 {
      try there.publish(from: publisher, topic: .consensus, body: body(2))
      await Task.yield()
    }
    #expect(mailbox.count == 0)
    await here.shutdown()
    await there.shutdown()
  }

  @Test func `over ipc only this user connects, and only as whom the endpoint is for`() async throws {
    let (server, client) = (try Bus(), try Bus())
    let path = freshPath()
    let endpoint = try await server.bind(.ipc(path: path), claims: Claims([alpha], anyOf: [.client]))
    let service = echo(try await server.register(beta, mailboxCapacity: 16), on: server)
    try await client.route(beta, to: endpoint)
    for file in [path, path + ".pub", path + ".lock"] {
      let attributes = try FileManager.default.attributesOfItem(atPath: file)
      #expect(attributes[.posixPermissions] as? Int == 0o600, "\(file)")
      #expect(attributes[.ownerAccountID] as? UInt == UInt(geteuid()))
    }
    #expect(try await client.request(from: alpha, to: beta, body: [1], deadline: .seconds(20)) == [1])
    let watcher = ActorAddress(.client, "any")
    #expect(try await client.request(from: watcher, to: beta, body: [2], deadline: .seconds(20)) == [2])
    #expect(
      await failure { () async throws(RemoteError) in
        try await client.request(from: gamma, to: beta, body: [3], deadline: .seconds(20))
      } == .permissionDenied)
    let counters = await server.counters()
    #expect(counters.refusedClaims == 1 && counters.requestsDelivered == 2)
    await client.shutdown()
    await server.shutdown()
    await service.value
  }

  @Test func `a secret key is exactly 32 bytes`() throws {
    #expect(CurveSecretKey([UInt8](repeating: 1, count: 31)) == nil)
    let key = try #require(CurveSecretKey([UInt8](repeating: 7, count: 32)))
    #expect(key.withBytes { Array($0) } == [UInt8](repeating: 7, count: 32))
  }
}
