import FixtureSupport
import Foundation
import Messages
import Testing

@testable import Bus

/// A server over tcp with CURVE, an honest client, and somebody who means harm. Whatever that one does is refused and
/// counted under a name, and the honest client is answered.
@Suite(.serialized, .limit(minutes: 2))
struct HostilePeerTests {
  private struct Site {
    let server: Bus
    let endpoint: BusEndpoint
    let keys: CurveKeyPair
    let honest: Bus
    /// Enrolled as `gamma`.
    let mallory: CurveKeyPair
    let service: Task<Void, Never>

    /// - Parameter honestPort: where the honest client connects; the server's own when nil.
    init(_ limits: BusLimits = BusLimits(), through makeProxy: (UInt16) -> UInt16? = { $0 }) async throws {
      let (keys, honestKeys) = (try CurveKeyPair.generate(), try CurveKeyPair.generate())
      let mallory = try CurveKeyPair.generate()
      let configuration = BusConfiguration(
        keys: keys,
        admissions: [Admission(honestKeys.publicKey, as: [alpha]), Admission(mallory.publicKey, as: [gamma])],
        limits: limits)
      server = try Bus(configuration: configuration)
      endpoint = try await server.bind(.tcp(host: "127.0.0.1", port: 0))
      service = echo(try await server.register(beta, mailboxCapacity: 8192), on: server)
      honest = try Bus(configuration: BusConfiguration(keys: honestKeys, limits: limits))
      let own = try #require(endpoint.port)
      let port = try #require(makeProxy(own))
      try await honest.route(beta, to: .tcp(host: "127.0.0.1", port: port), serverKey: keys.publicKey)
      (self.keys, self.mallory) = (keys, mallory)
    }

    func ask(_ number: Int) async throws(RemoteError) -> [UInt8] {
      try await honest.request(from: alpha, to: beta, body: body(number), deadline: .seconds(60))
    }

    func end() async {
      await honest.shutdown()
      await server.shutdown()
      await service.value
    }
  }

  private static func call(_ from: ActorAddress, kind: CallHeader.Kind = .call) -> [UInt8] {
    CallHeader(kind: kind, id: 1, from: from, to: beta, budgetNanoseconds: 1_000_000_000).frame
  }

  @Test func `recorded traffic, sent again, is no traffic`() async throws {
    final class Box: @unchecked Sendable { var proxy: Eavesdropper? }  // Proof: written before anybody else has it.
    let box = Box()
    let site = try await Site { port in
      box.proxy = Eavesdropper(to: port)
      return box.proxy?.port
    }
    let proxy = try #require(box.proxy)
    for number in 0..<10 { #expect(try await site.ask(number) == body(number)) }
    #expect(await site.server.counters().requestsDelivered == 10)
    let recorded = proxy.bytes
    #expect(recorded.count > 10 * 64)
    let port = try #require(site.endpoint.port)
    // Whole, and from every place where it may be cut: the server hangs up on each.
    for cut in [recorded.count, recorded.count / 2, 64, 63, 1] {
      await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
        Thread.detachNewThread {
          if let connection = PlainTCP.connect(port) {
            _ = PlainTCP.send(Array(recorded[..<cut]), on: connection)
            if cut < recorded.count / 2 { shutdown(connection, Int32(SHUT_WR)) }
            while PlainTCP.receive(on: connection) != nil {}
            close(connection)
          }
          continuation.resume()
        }
      }
    }
    #expect(try await site.ask(10) == body(10))
    #expect(await site.server.counters().requestsDelivered == 11)
    proxy.end()
    await site.end()
  }

  @Test func `keys are enrolled, changed and revoked while the bus works`() async throws {
    let site = try await Site()
    let late = try CurveKeyPair.generate()
    let newcomer = try Bus(configuration: BusConfiguration(keys: late))
    try await newcomer.route(beta, to: site.endpoint, serverKey: site.keys.publicKey)
    let asking = { (from: ActorAddress) async throws(RemoteError) -> [UInt8] in
      try await newcomer.request(from: from, to: beta, body: [1], deadline: .seconds(20))
    }
    try await site.server.admit(Admission(late.publicKey, as: [gamma]))
    #expect(try await asking(gamma) == [1])
    // The same connection under other claims, from the next request on.
    try await site.server.admit(Admission(late.publicKey, as: [], anyOf: [.contract]))
    #expect(await failure { () async throws(RemoteError) in try await asking(gamma) } == .permissionDenied)
    #expect(try await asking(ActorAddress(.contract, "any")) == [1])
    try await site.server.revoke(late.publicKey)
    #expect(
      await failure { () async throws(RemoteError) in try await asking(ActorAddress(.contract, "any")) }
        == .permissionDenied)
    // Enrolled again it is somebody new: the connection from before stays nobody's.
    try await site.server.admit(Admission(late.publicKey, as: [gamma]))
    #expect(await failure { () async throws(RemoteError) in try await asking(gamma) } == .permissionDenied)
    #expect(await site.server.counters().refusedClaims == 3)
    #expect(try await site.ask(1) == body(1))
    await newcomer.shutdown()
    await site.end()
  }

  @Test func `enrolments are bounded`() async throws {
    var limits = BusLimits()
    limits.maximumAdmissions = 2
    let bus = try Bus(configuration: BusConfiguration(limits: limits))
    let keys = try (0..<3).map { _ in try CurveKeyPair.generate().publicKey }
    for key in keys.prefix(2) { try await bus.admit(Admission(key, as: [])) }
    await #expect(throws: BusError.limitReached("maximumAdmissions")) {
      try await bus.admit(Admission(keys[2], as: []))
    }
    try await bus.revoke(keys[0])
    try await bus.admit(Admission(keys[2], as: []))
    await bus.shutdown()
  }

  /// Who floods, in which way. Ten seconds each in `ops/soak flood`.
  private static let seconds = ProcessInfo.processInfo.environment["AJIT_FLOOD_SECONDS"].flatMap { Int($0) } ?? 1

  enum Flood: String, CaseIterable { case strangers, anothersName, garbage, oversize, requests, plainBytes }

  @Test(arguments: Flood.allCases) func `a flood is refused and counted, and the others are served`(
    flood: Flood
  ) async throws {
    var limits = BusLimits()
    limits.maximumBodyBytes = 1 << 16
    let site = try await Site(limits)
    // Connected before, as in life: a flood that takes every new connection's place is the kernel's to bear.
    #expect(try await site.ask(0) == body(0))
    let stop = Stop()
    async let sent = Self.run(flood, site, until: stop)
    let clock = ContinuousClock()
    let end = clock.now.advanced(by: .seconds(Self.seconds))
    var (answered, latencies): (Int, [Duration]) = (0, [])
    // At least a hundred, however slow the machine.
    while clock.now < end || answered < 100 {
      let asked = clock.now
      if try await site.ask(answered) == body(answered) { answered += 1 }
      latencies.append(clock.now - asked)
    }
    stop.set()
    let said = await sent
    #expect(answered == latencies.count)
    let counters = await site.server.counters()
    switch flood {
    case .strangers: #expect(counters.refusedKeys > 0)
    case .anothersName: #expect(counters.refusedClaims > 0)
    case .garbage: #expect(counters.malformed > 0)
    case .oversize: #expect(counters.oversize > 0)
    case .requests: #expect(counters.refusedMailboxFull > 0 || counters.requestsDelivered > 101)
    case .plainBytes: break
    }
    if flood != .requests { #expect(counters.requestsDelivered == UInt64(answered + 1)) }
    latencies.sort()
    print(
      "flood \(flood.rawValue): \(said) said in \(Self.seconds) s; \(answered) honest requests answered, median",
      "\(latencies[latencies.count / 2]), 99 % \(latencies[latencies.count * 99 / 100]), last \(latencies.last!)")
    await site.end()
  }

  private static func run(_ flood: Flood, _ site: Site, until stop: Stop) async -> Int {
    let (endpoint, server) = (site.endpoint, site.keys.publicKey)
    func shout(
      _ keys: CurveKeyPair, _ body: @escaping @Sendable (HostilePeer, Int) -> Bool
    ) async -> Int { await HostilePeer.flood(until: stop, endpoint, keys, serverKey: server, body) }
    switch flood {
    case .anothersName: return await shout(site.mallory) { peer, _ in peer.say(call(alpha), [1]) }
    case .garbage:
      return await shout(site.mallory) { peer, round in
        peer.say((0..<round % 300).map { UInt8(truncatingIfNeeded: $0 &* round) }, [UInt8(truncatingIfNeeded: round)])
      }
    case .oversize:
      // Just above the limit: refused by us. Far above it libzmq hangs up, and the peer has to come again.
      let little = [UInt8](repeating: 1, count: 1 << 16 + 1)
      return await shout(site.mallory) { peer, _ in peer.say(call(gamma), little) }
    case .requests: return await shout(site.mallory) { peer, _ in peer.say(call(gamma), [2]) }
    case .strangers:
      // A key that nobody enrolled, over and over.
      var attempts = 0
      while !stop.isSet, let keys = try? CurveKeyPair.generate() {
        let until = Stop()
        attempts += 1
        _ = await HostilePeer.flood(until: until, endpoint, keys, serverKey: server) { peer, round in
          if round == 200 || stop.isSet { until.set() }
          return peer.say(call(alpha), [3])
        }
      }
      return attempts
    case .plainBytes:
      let port = endpoint.port ?? 0
      return await withCheckedContinuation { continuation in
        Thread.detachNewThread {
          var connections = 0
          let bytes = (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 167) }
          while !stop.isSet {
            guard let connection = PlainTCP.connect(port) else { continue }
            _ = PlainTCP.send(bytes, on: connection)
            close(connection)
            connections += 1
          }
          continuation.resume(returning: connections)
        }
      }
    }
  }
}

extension BusEndpoint {
  /// Of `tcp://`.
  fileprivate var port: UInt16? { if case .tcp(_, let port) = self { port } else { nil } }
}
