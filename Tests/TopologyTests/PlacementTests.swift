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

  /// One process of enclaves is started by one node.
  @Test func customersWhoseEnclavesShareAProcessShareANode() throws {
    var topology = try topology("")
    let shop = try #require(topology.customers.first)
    func customer(_ name: String, _ enclaves: [(name: String, process: String)]) -> Topology.Customer {
      var customer = shop
      customer.name = name
      customer.enclaves = enclaves.map { Topology.Enclave(name: $0.name, process: $0.process) }
      return customer
    }
    topology.customers = [
      customer("a", [("a1", "p")]), customer("b", [("b1", "q")]), customer("c", [("c1", "r")]),
      customer("d", [("d1", "r"), ("d2", "q")]), customer("e", [("e1", "p")]), customer("f", [("f1", "own")]),
    ]
    let placed = actors(topology.placement).filter { $0.key.hasPrefix("customer") }
      .mapValues { $0.filter { $0.hasPrefix("customer") } }
    #expect(
      placed == [
        "customer-a": ["customer/a", "customer/e"], "customer-b": ["customer/b", "customer/c", "customer/d"],
        "customer-f": ["customer/f"],
      ])
    for process in topology.enclaveProcesses {
      let nodes = process.enclaves.map { topology.placement.node(of: ActorAddress(.enclave, $0))?.name }
      #expect(Set(nodes).count == 1)
    }
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
