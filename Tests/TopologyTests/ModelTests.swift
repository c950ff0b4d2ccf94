import Messages
import Signing
import Testing

@testable import Topology

@Suite struct ModelTests {
  static func minimal() throws -> Topology {
    try TopologyParser.parse(Array(try Files.minimal().utf8), file: "f").topology
  }

  @Test func readsWhatIsWritten() throws {
    let topology = try Self.minimal()
    let alpha = try #require(topology.operators.first)
    #expect(alpha.credit == 100_000)
    #expect(alpha.substrate.links.map(\.loss) == [0, 1_000])
    #expect(alpha.edge(serving: "cell-1")?.name == "alpha-1")
    let contract = try #require(alpha.contracts.first)
    #expect(contract.service.profile == "video" && contract.service.maximumUp == 1_000_000)
    #expect(contract.rules[0].rule.reference == 50_000_000 && contract.rules[0].rule.minimumSamples == 20)
    #expect(contract.rules[1].rule.reference == 10_000_000 && contract.rules[1].rule.minimumSamples == 300)
    #expect(contract.metering.allowedMeasurements == [.auto])
    let sale = try #require(topology.customers.first?.activations.first)
    #expect(sale.contract?.description == "alpha/video")
    #expect(sale.up == Traffic(packetsPerSecond: 100, payloadBytes: 200) && sale.down == .silent)
    #expect(sale.up.bitsPerSecond == 160_000)
  }

  /// Two processes that read the same file and find the same enclave must make the same contract id.
  @Test func termsDependOnMeasurementsAsASet() throws {
    let contract = try #require(try Self.minimal().operators.first?.contracts.first)
    let measurements = [Digest(hashing: [2]), Digest(hashing: [1]), Digest(hashing: [2])]
    func terms(_ measurements: [Digest], number: UInt64 = 0) -> ContractTerms {
      contract.terms(
        operatorID: OrganisationID(value: .zero), deploymentNumber: number, start: Instant(nanoseconds: 1_000),
        measurements: measurements)
    }
    #expect(terms(measurements).metering.allowedMeasurements == [Digest(hashing: [1]), Digest(hashing: [2])].sorted())
    #expect(terms(measurements).id == terms([Digest(hashing: [1]), Digest(hashing: [2])]).id)
    #expect(terms(measurements).id != terms(measurements, number: 1).id)
    #expect(throws: Never.self) { try terms(measurements).validate() }
  }

  @Test func serviceTimesCountFromTheStart() throws {
    var contract = try #require(try Self.minimal().operators.first?.contracts.first)
    contract.context.serviceTimes = [Topology.OffsetWindow(from: .seconds(1), to: .seconds(3))]
    let start = Instant(nanoseconds: 7_000_000_000)
    let terms = contract.terms(
      operatorID: OrganisationID(value: .zero), deploymentNumber: 0, start: start, measurements: [.zero])
    #expect(terms.context.serviceTimes == [TimeWindow(from: start + .seconds(1), to: start + .seconds(3))])
  }

  @Test func quorumIsTheFormulaForAllSizes() {
    for members in 1...64 {
      let faulty = (members - 1) / 3
      let quorum = Topology.quorum(members: members)
      #expect(quorum == (members + faulty) / 2 + 1)
      // Two quorums share more than the faulty ones, and the rest can make one without them.
      #expect(2 * quorum - members > faulty && quorum <= members - faulty)
    }
  }

  @Test func treeHasThePapersThreeLayers() throws {
    let link = Topology.Tree.Link(capacity: 1_000, delay: .milliseconds(1))
    func layer(_ switches: UInt64) -> Topology.Tree.Layer {
      Topology.Tree.Layer(switches: switches, computeUnits: 4, functions: [], uplink: link)
    }
    let tree = Topology.Tree(
      cells: ["a", "b", "c", "d", "e"], endpoints: ["far"], access: link, edge: layer(2), aggregation: layer(2),
      core: layer(2))
    let substrate = tree.substrate
    #expect(
      substrate.nodes.map(\.name) == [
        "far", "core-1", "core-2", "aggregation-1", "aggregation-2", "edge-1-1", "edge-1-2", "edge-2-1", "edge-2-2",
        "a", "b", "c", "d", "e",
      ])
    // Cores to the endpoint, aggregation to cores, edges to their parent, cells to edges round and round.
    #expect(substrate.links.count == 2 + 4 + 4 + 5)
    #expect(
      substrate.links.filter { $0.domain == .radio }.map(\.to) == [
        "edge-1-1", "edge-1-2", "edge-2-1", "edge-2-2", "edge-1-1",
      ])
  }

  @Test func everyPresetIsInTheTableOnce() {
    #expect(FiveQI.all.map(\.number) == [3, 9, 79, 80] + Array(82...90))
    let remoteDriving = FiveQI.all.first { $0.number == 85 }
    #expect(remoteDriving?.packetDelayBudget == .milliseconds(5) && remoteDriving?.packetErrorRate == 10_000)
    let rules = remoteDriving?.rules(direction: nil, window: 10, penalty: 5) ?? []
    #expect(rules.count == 4 && Set(rules.map(\.name)).count == 4)
    #expect(rules.first { $0.rule.metric == .lossRatio }?.rule.minimumSamples == 300_000)
    #expect(FiveQI.all.first { $0.number == 9 }?.rules(direction: nil, window: 1, penalty: 5).isEmpty == true)
  }

  /// A preset stands for several rules; an error in a later entry must still point at that entry.
  @Test func placesOfRulesAfterAPresetAreTheirOwn() throws {
    let text = try Files.minimal().replacing(
      once: "          - { name: delay-up,",
      by: "          - { preset: 5qi-3, penalty: 1 }\n          - { name: delay-up,"
    ).replacing(once: "name: loss-up", by: "name: \"loss up\"")
    #expect(
      complaints(about: text) == ["27:13: error: a name has 1 to 64 of a–z 0–9 - _ . and not 'loss up'"])
  }

  @Test func warningsDoNotRefuse() throws {
    let text = try Files.minimal().replacing(once: "credit: 10000\n", by: "credit: 10\n")
      .replacing(once: "credit: 100000", by: "credit: 1").replacing(
        once: "packetsPerSecond: 100", by: "packetsPerSecond: 100000")
    let file = try TopologyParser.parse(Array(text.utf8), file: "f")
    #expect(file.warnings.map(\.severity) == [.warning, .warning, .warning])
  }

  @Test func handMadeTopologiesAreChecked() throws {
    var topology = try Self.minimal()
    #expect(topology.validate().isEmpty)
    topology.operators[0].contracts[0].metering.epoch = .milliseconds(10)
    #expect(topology.validate().map(\.pointer) == ["/operators/0/contracts/0/metering/epoch"])
  }

  /// Whatever this check accepts, the ledger deploys.
  @Test func acceptedContractsAreDeployable() throws {
    for name in ["remote-surgery", "congested"] {
      for networkOperator in try ShippedFileTests.topology(name).operators {
        for contract in networkOperator.contracts {
          #expect(throws: Never.self, "\(networkOperator.name)/\(contract.name)") { try contract.draft.validate() }
        }
      }
    }
  }
}
