import Messages
import Testing
import Topology

/// Many customers from one template.
@Suite struct PopulationTests {
  private static let template = """
      - name: car
        count: 12
        every: 20ms
        enclaveProcesses: 5
        credit: 1000
        enclaves: [{ name: unit }]
        activations:
          - name: trip
            contract: alpha/video
            at: 1s
            epochs: 4
            cells: [cell-1, cell-2]
            peer: server
            enclave: unit
            traffic: { up: { packetsPerSecond: 100, payloadBytes: 200 } }

    """

  private func text(_ template: String = Self.template) throws -> String {
    try Files.minimal().replacing(once: "customers:\n", by: "customers:\n" + template)
      .replacing(
        once: "        - { name: hub",
        by: "        - { name: cell-2, domain: radio, attachment: cell }\n        - { name: hub"
      )
      .replacing(
        once: "        - { from: hub",
        by: "        - { from: cell-2, to: hub, domain: radio, capacity: 10Mbit/s, delay: 1ms }\n        - { from: hub"
      )
      .replacing(once: "cells: [cell-1]", by: "cells: [cell-1, cell-2]")
      .replacing(once: "serviceArea: [cell-1]", by: "serviceArea: [cell-1, cell-2]")
  }

  @Test func copiesHaveNamesTimesCellsAndProcessesOfTheirOwn() throws {
    let topology = try TopologyParser.parse(Array(try text().utf8), file: "f").topology
    #expect(topology.customers.count == 13)
    let cars = topology.customers.prefix(12)
    #expect(cars.first?.name == "car-0001" && cars.last?.name == "car-0012")
    let trips = cars.flatMap(\.activations)
    #expect(trips.map(\.name).prefix(2) == ["trip-0001", "trip-0002"])
    #expect(trips.map(\.enclave) == cars.flatMap(\.enclaves).map(\.name))
    #expect(trips.map(\.at) == (0..<12).map { .seconds(1) + .milliseconds(20) * Int64($0) })
    #expect(trips.map(\.cell).prefix(3) == ["cell-1", "cell-2", "cell-1"])
    let processes = topology.enclaveProcesses
    #expect(processes.map(\.name) == (1...5).map { "car-enclaves-\($0)" } + ["till"])
    #expect(processes.first?.enclaves == ["unit-0001", "unit-0006", "unit-0011"])
  }

  @Test func withoutProcessesEachEnclaveHasItsOwn() throws {
    let text = try text(Self.template.replacing(once: "    enclaveProcesses: 5\n", by: ""))
    let topology = try TopologyParser.parse(Array(text.utf8), file: "f").topology
    #expect(topology.enclaveProcesses.map(\.enclaves) == topology.customers.flatMap(\.enclaves).map { [$0.name] })
  }

  /// What is wrong with the template is said once, where it stands.
  @Test func faultsOfATemplateAreToldOnce() throws {
    let text = try text(Self.template.replacing(once: "peer: server", by: "peer: nobody"))
    #expect(complaints(about: text) == ["48:15: error: peer 'nobody' is not in the contract's allowedPeers: server"])
  }

  /// … and what is wrong with an element after it, at that element.
  @Test func elementsBehindATemplateKeepTheirPlaces() throws {
    let text = try text().replacing(once: "- name: shop", by: "- name: Shop")
    #expect(complaints(about: text).map { $0.prefix(5) } == ["51:11"])
  }
}
