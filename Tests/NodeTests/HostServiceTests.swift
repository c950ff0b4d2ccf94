import Bus
import Effects
import Hosting
import Messages
import Signing
import Testing

@testable import Node

/// A fault in any actor is the node's: it says who stopped it, and why.
struct HostServiceTests {
  private struct Halting: RoleCore {
    let address = ActorAddress(.validator, "alpha")
    let subscriptions: [Subscription] = []
    let effects: [Effect]
    mutating func handle(_ event: Event, at now: Instant) -> [Effect] { effects }
  }

  private func fault(_ effects: [Effect]) async throws -> String? {
    let bus = try Bus()
    let host = RoleHost(
      Halting(effects: effects),
      context: VerificationContext(network: Digest(hashing: []), scheme: .simulated, members: []), store: NoStore(),
      bus: bus, observer: { _, _ in })
    try await host.register()
    var text: String?
    do { try await HostService(host: host, arrivals: []).run() } catch let error as NodeError { text = "\(error)" }
    await bus.shutdown()
    return text
  }

  @Test func `a core that halts`() async throws {
    #expect(
      try await fault([.halt(HaltReason("two blocks at one height"))])
        == "validator/alpha stopped the node: two blocks at one height")
  }

  @Test func `a commit that fails`() async throws {
    let text = try await fault([.persist(.put(stream: 1, key: 1, bytes: []))])
    #expect(text?.hasPrefix("validator/alpha stopped the node: this role has no store") == true)
  }
}
