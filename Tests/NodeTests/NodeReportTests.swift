import Bus
import Effects
import FixtureSupport
import Messages
import Signing
import Testing

@testable import Node

/// What a node reports is what the process that started it takes.
struct NodeReportTests {
  private static let activation = ActivationID(value: Bytes32(Array(repeating: 3, count: 32)) ?? .zero)
  private static let contract = ContractID(value: Bytes32(Array(repeating: 4, count: 32)) ?? .zero)

  private static let traffic: CarriedTraffic = {
    var traffic = CarriedTraffic()
    traffic.add(.datagram, CarriedTraffic.Flow(sent: CarriedTraffic.Volume(messages: 3, bytes: 500)))
    return traffic
  }()

  static let reports: [NodeReport] = [
    .ready, .carried(traffic), .progress(customer: "hospital", []),
    .progress(
      customer: "hospital",
      [
        PlanProgress(activation: activation, stage: "serving", refusal: nil),
        PlanProgress(activation: nil, stage: "refused", refusal: "DEADLINE_PASSED"),
      ]),
    .observed(
      ActorAddress(.validator, "alpha"),
      .blockFinal(height: 7, view: 9, transactions: 3, blockTime: Instant(nanoseconds: 12))),
    .observed(ActorAddress(.edge, "alpha-edge"), .counted("late", by: 5)),
    .observed(ActorAddress(.edge, "alpha-edge"), .note(.warning, "a line")),
  ]

  static let steps: [ActivationStep] = [
    .submitted(label: "operation", contract: contract, customer: "hospital"), .requested,
    .sliceFound(Digest(hashing: [1])), .sliceRejected(RejectionReason.allCases[0], nil),
    .reserved(startAt: Instant(nanoseconds: 4)), .flowOpen, .serving, .delivered, .settlementProposed,
    .refused("AJIT.REPLAYED"),
  ]

  @Test(arguments: reports.indices) func `a report comes back as it was`(_ index: Int) throws {
    let bytes = Self.reports[index].encoded
    #expect(try NodeReport(decoding: bytes).encoded == bytes)
  }

  @Test(arguments: steps.indices) func `so does every step of an activation`(_ index: Int) throws {
    let report = NodeReport.observed(
      ActorAddress(.customer, "hospital"), .activation(Self.activation, Self.steps[index]))
    #expect(try NodeReport(decoding: report.encoded).encoded == report.encoded)
  }

  @Test func `what a node has carried counts over all its lives`() {
    var nodes = NodeTraffic()
    for node in ["one", "two"] {
      nodes.begin(node)
      nodes.tell(node, Self.traffic)
    }
    // Its reports are totals of its life.
    nodes.tell("one", Self.traffic)
    #expect(nodes.sum[.datagram].sent.messages == 6)
    nodes.begin("one")
    #expect(nodes.sum[.datagram].sent.messages == 6)
    nodes.tell("one", Self.traffic)
    #expect(nodes.sum[.datagram].sent.messages == 9)
  }

  @Test func `a text too long for a frame is cut, not refused`() throws {
    let note = Observation.note(.warning, String(repeating: "ä", count: 10_000))
    #expect(try Observation(decoding: note.encoded).encoded == note.encoded)
  }
}
