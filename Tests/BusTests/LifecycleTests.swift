import FixtureSupport
import Foundation
import Messages
import Testing

@testable import Bus

@Suite(.serialized, .limit(minutes: 1))
struct LifecycleTests {
  private func files(_ path: String) -> [String] {
    [path, path + ".pub", path + ".lock"].filter { FileManager.default.fileExists(atPath: $0) }
  }

  @Test func `shutdown ends everything and leaves no file`() async throws {
    let path = freshPath()
    let bus = try Bus()
    try await bus.bind(.ipc(path: path))
    #expect(files(path).count == 3)
    let asked = try await bus.register(beta, mailboxCapacity: 4)
    let pending = Task { () async -> RemoteError.Code? in
      await failure { () async throws(RemoteError) in
        try await bus.request(from: alpha, to: beta, body: [], deadline: .seconds(50))
      }
    }
    guard case .request(let ticket, _, _)? = await asked.nextBatch(max: 1)?.first else { return #expect(Bool(false)) }
    async let again: Void = bus.shutdown()
    await bus.shutdown()
    await again
    #expect(await pending.value == .cancelled)
    #expect(await asked.nextBatch(max: 1) == nil)
    #expect(files(path).isEmpty)
    // Nothing hangs or traps afterwards.
    bus.reply(ticket, .success([]))
    #expect(await failure { () async throws(BusError) in try await bus.bind(.ipc(path: path)) } == .closed)
    #expect(
      await failure { () async throws(RemoteError) in
        try await bus.request(from: alpha, to: beta, body: [], deadline: .seconds(50))
      } == .cancelled)
    #expect(await bus.counters().requestsDelivered == 1)
  }

  @Test func `a remote asker hears that the bus has gone`() async throws {
    var patient = SocketOptions()
    patient.settleMs = 1_000
    let link = try await Link.make(.ipc, options: patient)
    let asked = try await link.second.register(beta, mailboxCapacity: 4)
    async let code = failure { () async throws(RemoteError) in
      try await link.first.request(from: alpha, to: beta, body: [], deadline: .seconds(50))
    }
    _ = await asked.nextBatch(max: 1)
    await link.second.shutdown()
    #expect(await code == .unavailable)
    await link.first.shutdown()
  }

  @Test func `a live socket file is not taken, a crashed process's is`() async throws {
    let path = freshPath()
    let (first, second) = (try Bus(), try Bus())
    try await first.bind(.ipc(path: path))
    #expect(
      await failure { () async throws(BusError) in
        try await second.bind(.ipc(path: path))
      } == .addressInUse(.ipc(path: path)))
    // The owner still serves.
    let service = echo(try await first.register(beta, mailboxCapacity: 4), on: first)
    try await second.route(beta, to: .ipc(path: path))
    #expect(try await second.request(from: alpha, to: beta, body: [1], deadline: .seconds(20)) == [1])
    await first.shutdown()
    await service.value
    // What a crash leaves: a socket file nobody listens on, and a lock file nobody holds.
    let leftover = try ForeignSocket(path)
    leftover.close()
    _ = FileManager.default.createFile(atPath: path + ".lock", contents: nil)
    try await second.bind(.ipc(path: path))
    await second.shutdown()
    #expect(files(path).isEmpty)
  }

  @Test func `another program's live socket is not taken`() async throws {
    let path = freshPath()
    let foreign = try ForeignSocket(path)
    let bus = try Bus()
    #expect(
      await failure { () async throws(BusError) in
        try await bus.bind(.ipc(path: path))
      } == .addressInUse(.ipc(path: path)))
    #expect(FileManager.default.fileExists(atPath: path))
    #expect(!FileManager.default.fileExists(atPath: path + ".lock"))
    foreign.close()
    await bus.shutdown()
    try FileManager.default.removeItem(atPath: path)
  }

  @Test func `what cannot be bound says why`() async throws {
    let keys = try CurveKeyPair.generate()
    let bus = try Bus(configuration: BusConfiguration(keys: keys))
    let bare = try Bus()
    let missing = BusEndpoint.ipc(path: "/nonexistent/ajit.ipc")
    guard case .cannotBind(missing, _)? = await failure({ () async throws(BusError) in try await bus.bind(missing) })
    else { return #expect(Bool(false)) }
    let long = BusEndpoint.ipc(path: "/tmp/" + String(repeating: "x", count: 100))
    #expect(await failure { () async throws(BusError) in try await bus.bind(long) } == .illegalEndpoint(long))
    let tcp = try await bus.bind(.tcp(host: "127.0.0.1", port: 0))
    #expect(await failure { () async throws(BusError) in try await bus.bind(tcp) } == .addressInUse(tcp))
    #expect(await failure { () async throws(BusError) in try await bare.bind(tcp) } == .needsKeys(tcp))
    #expect(await failure { () async throws(BusError) in try await bare.route(beta, to: tcp) } == .needsKeys(tcp))
    _ = try await bus.register(alpha, mailboxCapacity: 1)
    #expect(
      await failure { () async throws(BusError) in
        try await bus.register(alpha, mailboxCapacity: 1)
      } == .alreadyRegistered(alpha))
    await bus.shutdown()
    await bare.shutdown()
  }

  @Test func `a cancelled consumer stops waiting`() async throws {
    let bus = try Bus()
    let mailbox = try await bus.register(alpha, mailboxCapacity: 1)
    let consumer = Task { await mailbox.nextBatch(max: 1) == nil }
    consumer.cancel()
    #expect(await consumer.value)
    await bus.shutdown()
  }

  @Test(arguments: [
    ("ipc:///run/ajit/a.sock", BusEndpoint.ipc(path: "/run/ajit/a.sock")),
    ("tcp://10.0.0.1:4700", .tcp(host: "10.0.0.1", port: 4700)),
    ("tcp://node-1.example:0", .tcp(host: "node-1.example", port: 0)),
  ])
  func `endpoints read and write as text`(text: String, endpoint: BusEndpoint) {
    #expect(BusEndpoint(text) == endpoint)
    #expect(endpoint.description == text)
  }

  @Test(arguments: [
    "", "ipc://", "ipc://*", "ipc://@abstract", "tcp://:1", "tcp://host", "tcp://host:", "tcp://host:65536",
    "tcp://a:b:1", "tcp://*:1", "tcp://ho st:1", "udp://a:1", "inproc://x", "tcp://h:+1",
  ])
  func `other texts are no endpoints`(text: String) { #expect(BusEndpoint(text) == nil) }
}

/// A Unix socket that this library did not make.
private struct ForeignSocket {
  private let descriptor: Int32

  init(_ path: String) throws {
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let code = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(code == 0 && listen(descriptor, 1) == 0)
  }

  func close() { _ = Foundation.close(descriptor) }
}
