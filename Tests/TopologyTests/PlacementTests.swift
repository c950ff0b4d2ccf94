import Messages
import Testing

@testable import Topology

/// What runs where.
@Suite struct PlacementTests {
  private func topology(_ nodes: String) throws -> Topology {
    let text = try Files.minimal() + nodes
    return try TopologyParser.parse(Array(text.utf8), file: "f").topology
  }

  private let managers = ["domain/alpha-radio", "domain/alpha-transport", "domain/alpha-compute"]

  private func actors(_ placement: Placement) -> [String: [String]] {
    Dictionary(uniqueKeysWithValues: placement.nodes.map { ($0.name, $0.actors.map(\.description)) })
  }

  @Test func withoutNodesEveryActorHasItsOwnAndFollowersGoAlong() throws {
    let placement = try topology("").placement
    #expect(
      actors(placement) == [
        "validator-alpha": ["validator/alpha"], "controller-alpha": ["controller/alpha"] + managers,
        "edge-alpha-1": ["edge/alpha-1"], "customer-shop": ["customer/shop", "enclave/till", "platform/till"],
      ])
    #expect(placement.nodes.map(\.port) == [24_740, 24_742, 24_744, 24_746])
    #expect(placement.nodes.allSatisfy { $0.host == .loopback && !$0.isExternal })
  }

  @Test func patternsPlaceActorsAndALauncherGoesWithItsEnclave() throws {
    let placement = try topology(
      """
      nodes:
        - { name: north, host: 10.0.0.1, port: 7000, actors: ["*/alpha", edge/*] }
        - { name: south, external: true, actors: [customer/*] }
        - { name: vault, actors: [enclave/t*] }
      """
    ).placement
    #expect(
      actors(placement) == [
        "north": ["validator/alpha", "controller/alpha"] + managers + ["edge/alpha-1"], "south": ["customer/shop"],
        "vault": ["enclave/till", "platform/till"],
      ])
    #expect(placement.node(of: ActorAddress(.platform, "till"))?.name == "vault")
    #expect(placement.node(of: ActorAddress(.edge, "nobody")) == nil)
    #expect(placement.node(named: "north").map { "\($0.host):\($0.port)" } == "10.0.0.1:7000")
    #expect(placement.node(named: "south")?.isExternal == true)
  }

  /// Whoever placed an actor twice in one node said the same thing twice.
  @Test func patternsOfOneNodeMayOverlap() throws {
    let placement = try topology("nodes: [{ name: all, actors: [validator/*, '*/alpha', edge/*, customer/shop] }]\n")
      .placement
    #expect(placement.nodes.map(\.actors.count) == [9])
  }

  @Test(arguments: ["edge/", "/alpha", "*/*", "edge", "contract/*", "platform/till", "edge/A", "a/b/c", "client/x"])
  func refusesWhatIsNoPattern(_ text: String) { #expect(Topology.ActorPattern(text) == nil) }

  @Test(arguments: ["127.0.0.1", "0.0.0.0", "255.255.255.255", "10.20.30.40"])
  func readsAddresses(_ text: String) { #expect(Topology.HostAddress(text)?.description == text) }

  @Test(arguments: ["", "1.2.3", "1.2.3.4.5", "256.0.0.1", "01.2.3.4", "1.2.3.x", "::1", " 1.2.3.4"])
  func refusesWhatIsNoAddress(_ text: String) { #expect(Topology.HostAddress(text) == nil) }
}
