import Foundation
import Messages
import Signing
import Testing
import Topology

/// What is shipped is right, and says what the README says it says.
@Suite struct ShippedFileTests {
  static func topology(_ name: String) throws -> Topology {
    let file = Files.root.appending(path: "topologies/\(name).yaml")
    let read = try TopologyParser.parse(try Files.bytes(file), file: "topologies/\(name).yaml")
    #expect(read.warnings.isEmpty)
    return read.topology
  }

  @Test(arguments: ["remote-surgery", "congested", "platoon", "spread", "population"])
  func isAcceptedWithoutWarnings(_ name: String) throws {
    let topology = try Self.topology(name)
    #expect(topology.name == name)
    #expect(topology.customers.flatMap(\.activations).allSatisfy { $0.expectation != nil })
  }

  @Test func minimalFileIsAccepted() throws {
    #expect(complaints(about: try Files.minimal()).isEmpty)
  }

  @Test func remoteSurgeryIsFourOperatorsTwoRegulatorsAndOneHospital() throws {
    let topology = try Self.topology("remote-surgery")
    #expect(topology.operators.map(\.name) == ["alpha", "bravo", "charlie", "delta"])
    #expect(topology.regulators.map(\.name) == ["ofcom", "ceer"])
    #expect(topology.customers.map(\.name) == ["hospital"])
    #expect(topology.operators.flatMap(\.contracts).count == 3)
    let operation = try #require(topology.customers.first?.activations.first)
    let contract = try #require(topology.contract(operation.contract))
    #expect(operation.enclave == "surgeon-console")
    #expect(contract.metering.epoch * Int64(operation.epochs) < .seconds(15))
  }

  /// Five nines cannot be judged from what eight seconds bring, and the verdict must say so.
  @Test func fiveNinesRuleNeedsMoreSamplesThanTheScenarioSends() throws {
    let topology = try Self.topology("remote-surgery")
    let operation = try #require(topology.customers.first?.activations.first)
    let contract = try #require(topology.contract(operation.contract))
    let rule = try #require(contract.rules.first { $0.name == "five-nines-up" }?.rule)
    #expect(rule.reference == 10_000)
    #expect(rule.minimumSamples == 300_000)
    #expect(operation.up.packetsPerSecond * operation.epochs < rule.minimumSamples)
    // Every other rule gets enough of them in one epoch.
    for named in contract.rules where named.name != "five-nines-up" {
      #expect(named.rule.minimumSamples <= operation.up.packetsPerSecond, "\(named.name)")
    }
  }

  /// Every delay bound of a scenario that must be kept survives a stall of 20 ms on top of the planned path.
  @Test func shippedBoundsSurviveAStall() throws {
    let topology = try Self.topology("remote-surgery")
    let operation = try #require(topology.customers.first?.activations.first)
    let contract = try #require(topology.contract(operation.contract))
    let planned: Span = .milliseconds(4)
    for named in contract.rules where named.rule.metric == .oneWayDelay {
      #expect(named.rule.reference >= UInt64((planned + .milliseconds(20) * 2).nanoseconds))
    }
  }

  /// Only where things run differs.
  @Test func spreadIsThePlatoonInOtherPlaces() throws {
    var spread = try Self.topology("spread")
    var platoon = try Self.topology("platoon")
    // One process each: members, controllers, edges and trucks. Enclaves are processes anyway.
    #expect(spread.placement.nodes.count == 4 + 3 + 2 + 3)
    (spread.name, spread.description, spread.nodes) = ("", "", [])
    (platoon.name, platoon.description) = ("", "")
    #expect(spread == platoon)
  }

  @Test func populationIsAThousandCustomersOfFourEnclaveProcesses() throws {
    let topology = try Self.topology("population")
    #expect(topology.customers.count == 1000)
    #expect(topology.enclaveProcesses.map(\.enclaves.count) == [250, 250, 250, 250])
    let cells = Set(topology.customers.flatMap(\.activations).map(\.cell))
    #expect(cells == Set(topology.operators.flatMap(\.edges).flatMap(\.cells)))
  }

  /// Twice the guarantee fits north's bottleneck, three times does not: that is what "congested" means.
  @Test func congestedAsksForMoreThanThereIs() throws {
    let topology = try Self.topology("congested")
    let north = try #require(topology.networkOperator(named: "north"))
    let bottleneck = try #require(north.substrate.links.map(\.forwardCapacity).min())
    let guaranteed = try #require(north.contracts.first?.service.guaranteedUp)
    #expect(2 * guaranteed <= bottleneck && bottleneck < 3 * guaranteed)
    let orders = topology.customers.flatMap(\.activations)
    #expect(orders.count == 6)
    #expect(orders.filter { $0.expectation?.state == .nullified }.count == 2)
    // A nullified order costs nothing.
    for order in orders where order.expectation?.state == .nullified {
      let terms = try #require(topology.contract(order.contract)).terms(
        operatorID: OrganisationID(value: .zero), deploymentNumber: 0, start: .zero, measurements: [.zero])
      let escrow = try terms.escrow(epochs: order.epochs)
      #expect(order.expectation?.refunded == Topology.CountRange(least: escrow, most: escrow))
    }
  }
}
