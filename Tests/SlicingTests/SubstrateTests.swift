import Messages
import Signing
import Testing
import Wire

@testable import Slicing

@Suite struct SubstrateTests {
  @Test func theTreeHasThePapersShape() throws {
    let substrate = try smallTree(dualHomed: false).substrate()
    #expect(substrate.nodes.count == 1 + 2 + 4 + 8 + 8)
    // Endpoint links, the core mesh, then one uplink per aggregation, edge and cell.
    #expect(substrate.links.count == 2 + 1 + 4 + 8 + 8)
    #expect(try smallTree(dualHomed: true).substrate().links.count == 2 + 1 + 8 + 16 + 8)
    #expect(substrate.node(named: "cell-2-2-2").map { substrate[$0].attachment } == .cell)
    #expect(substrate.node(named: "endpoint").map { substrate[$0].attachment } == .endpoint)
  }

  @Test func elementsThatCannotBeAreRefused() throws {
    let node = SubstrateNode(name: "a", domain: .transport)
    func link(_ from: Int, _ to: Int, delay: Span = .zero, loss: UInt32 = 0, capacity: UInt64 = 1) -> SubstrateLink {
      SubstrateLink(
        from: NodeID(from), to: NodeID(to), domain: .transport, forwardCapacity: capacity, backwardCapacity: 0,
        delay: delay, loss: loss, cost: 0)
    }
    func refusal(_ nodes: [SubstrateNode], _ links: [SubstrateLink] = []) -> SubstrateError? {
      do throws(SubstrateError) {
        _ = try Substrate(nodes: nodes, links: links)
        return nil
      } catch {
        return error
      }
    }
    let pair = [node, SubstrateNode(name: "b", domain: .transport)]
    #expect(refusal([node, node]) == .duplicateName("a"))
    #expect(refusal([SubstrateNode(name: "", domain: .radio)]) == .illegalName(""))
    #expect(refusal(pair, [link(0, 2)]) == .unknownNode(LinkID(0)))
    #expect(refusal(pair, [link(0, 0)]) == .unknownNode(LinkID(0)))
    #expect(refusal(pair, [link(0, 1, delay: .seconds(-1))]) == .outOfRange(element: "link a→b", field: "delay"))
    #expect(refusal(pair, [link(0, 1, loss: 1_000_000_000)]) == .outOfRange(element: "link a→b", field: "loss"))
    #expect(refusal(pair, [link(0, 1, capacity: .max)]) == .outOfRange(element: "link a→b", field: "capacity"))
    #expect(refusal(pair, [link(0, 1)]) == nil)
  }

  @Test func fingerprintsTellSubstratesApart() throws {
    var changed = smallTree()
    changed.radioLinks.loss += 1
    #expect(try smallTree().substrate().fingerprint == smallTree().substrate().fingerprint)
    #expect(try smallTree().substrate().fingerprint != changed.substrate().fingerprint)
  }

  @Test func lossExponentsAddUpLikeProbabilities() {
    let five = LossExponent(partsPerBillion: 5)
    #expect(five + five <= LossExponent(partsPerBillion: 10))
    #expect((five + five).partsPerBillion == 10)
    let half = LossExponent(partsPerBillion: 500_000_000)
    #expect((half + half).partsPerBillion == 750_000_000)
    #expect(LossExponent(partsPerBillion: 1_000_000_000) == .unreachable)
    // −ln(1 − 0.9) = 2.302585092994046…; −ln(1 − 10⁻⁹) = 1.0000000005 × 10⁻⁹.
    #expect(abs(LossExponent(partsPerBillion: 900_000_000).femtonepers - 2_302_585_092_994_045) < 50)
    #expect(LossExponent(partsPerBillion: 1).femtonepers == 1_000_000)
    for loss in [0, 1, 2, 999, 10_000_000, 499_999_999, 500_000_001, 899_999_999] as [UInt32] {
      #expect(LossExponent(partsPerBillion: loss).partsPerBillion == loss)
      #expect(LossExponent(partsPerBillion: loss) < LossExponent(partsPerBillion: loss + 1))
    }
  }

  @Test func plansSurviveTheWireAndBindTheirHash() throws {
    let substrate = try smallTree().substrate()
    var planner = SlicePlanner(substrate: substrate)
    let plan = try planner.plan(request(chain: ["firewall", "gateway"]), in: ReservationCalendar(substrate: substrate))
    #expect(try SlicePlan(decoding: plan.encoded) == plan)
    var other = plan
    other.throughputDown += 1
    #expect(other.hash != plan.hash)
    other = plan
    other.steps.removeFirst()
    #expect(throws: PlanError.notConnected(step: 0)) { try other.demands(on: substrate) }
    other = plan
    other.throughputUp = .max
    #expect(throws: PlanError.throughputOutOfRange) { try other.demands(on: substrate) }
    #expect(throws: PlanError.otherSubstrate) { try plan.demands(on: smallTree(dualHomed: false).substrate()) }
  }
}
