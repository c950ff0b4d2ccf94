import Foundation
import Messages

@testable import Bus

/// How two actors of a test reach each other.
enum Transport: CaseIterable { case inproc, ipc, tcp }

/// A fresh socket path that does not outgrow `sun_path`.
func freshPath() -> String { "/tmp/ajit-bus-\(UUID().uuidString.prefix(13)).ipc" }

let alpha = ActorAddress(.validator, "alpha")
let beta = ActorAddress(.validator, "beta")
let gamma = ActorAddress(.validator, "gamma")

/// Two buses that know each other (or one, for inproc): `alpha` is on the first, `beta` on the second.
struct Link {
  let first: Bus
  let second: Bus
  let endpoint: BusEndpoint?

  static func make(
    _ transport: Transport, limits: BusLimits = BusLimits(), options: SocketOptions = SocketOptions()
  ) async throws -> Link {
    var (one, two) = (BusConfiguration(), BusConfiguration())
    (one.limits, one.socketOptions, two.limits, two.socketOptions) = (limits, options, limits, options)
    switch transport {
    case .inproc:
      let bus = try Bus(configuration: one)
      return Link(first: bus, second: bus, endpoint: nil)
    case .ipc:
      let (first, second) = (try Bus(configuration: one), try Bus(configuration: two))
      let endpoint = try await second.bind(.ipc(path: freshPath()))
      try await first.route(beta, to: endpoint)
      return Link(first: first, second: second, endpoint: endpoint)
    case .tcp:
      let (oneKeys, twoKeys) = (try CurveKeyPair.generate(), try CurveKeyPair.generate())
      (one.keys, two.keys) = (oneKeys, twoKeys)
      two.admissions = [Admission(oneKeys.publicKey, as: [alpha])]
      let (first, second) = (try Bus(configuration: one), try Bus(configuration: two))
      let endpoint = try await second.bind(.tcp(host: "127.0.0.1", port: 0))
      try await first.route(beta, to: endpoint, serverKey: twoKeys.publicKey)
      return Link(first: first, second: second, endpoint: endpoint)
    }
  }

  func shutdown() async {
    await first.shutdown()
    await second.shutdown()
  }
}

/// Answers every request with its own body until the mailbox closes.
func echo(_ mailbox: Mailbox, on bus: Bus) -> Task<Void, Never> {
  Task {
    while let batch = await mailbox.nextBatch(max: 64) {
      for case .request(let ticket, _, let body) in batch { bus.reply(ticket, .success(body)) }
    }
  }
}

func failure(_ body: () async throws(RemoteError) -> [UInt8]) async -> RemoteError.Code? {
  do throws(RemoteError) {
    _ = try await body()
    return nil
  } catch {
    return error.code
  }
}

func failure<Value>(_ body: () async throws(BusError) -> Value) async -> BusError? {
  do throws(BusError) {
    _ = try await body()
    return nil
  } catch {
    return error
  }
}

/// A number as a body.
func body(_ number: Int) -> [UInt8] { withUnsafeBytes(of: UInt64(number).bigEndian) { Array($0) } }
func number(_ body: [UInt8]) -> Int { body.reduce(0) { $0 << 8 | Int($1) } }

/// Takes publications until `isEnough`, as (gap, number) pairs.
func publications(_ mailbox: Mailbox, until isEnough: ([(gap: Int, number: Int)]) -> Bool) async -> [(
  gap: Int, number: Int
)] {
  var taken: [(gap: Int, number: Int)] = []
  while !isEnough(taken), let batch = await mailbox.nextBatch(max: 1) {
    for case .publication(_, _, let gap, let body) in batch { taken.append((Int(gap), number(body))) }
  }
  return taken
}
