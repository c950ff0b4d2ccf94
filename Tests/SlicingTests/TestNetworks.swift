import Messages
import Signing

@testable import Slicing

/// SplitMix64 (Steele, Lea, Flood 2014): a test's seed decides everything it does.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

func window(_ from: Int64, _ to: Int64) -> TimeWindow {
  TimeWindow(from: .zero + .seconds(from), to: .zero + .seconds(to))
}

func request(
  cell: String = "cell-1-1-1", to destination: SliceRequest.Destination = .endpoint("endpoint"),
  chain: [String] = ["firewall"], sharing: ServiceTerms.Sharing = .shared, up: UInt64 = 10_000_000,
  down: UInt64 = 10_000_000, delay: Span = .milliseconds(5), loss: UInt32 = 10_000,
  _ window: TimeWindow = window(0, 10), avoided: [String] = []
) -> SliceRequest {
  SliceRequest(
    cell: cell, destination: destination, functionChain: chain, sharing: sharing,
    requirements: SliceRequirements(
      throughputUp: up, throughputDown: down, maximumDelay: delay, maximumLoss: loss, window: window),
    avoided: avoided)
}

func activation(_ number: UInt64) -> ActivationID { ActivationID(Digest(label: "activation", number.encoded)) }

extension ReservationCalendar {
  /// A slice of an activation that has no other.
  mutating func hold(_ id: ReservationID, _ plan: SlicePlan) throws(CalendarError) {
    try hold(id, plan, for: activation(id.number))
  }
}

/// Two cores, two aggregations each, two edges each, dual-homed; firewalls at the aggregation, gateways at the core.
func smallTree(dualHomed: Bool = true, radio: UInt64 = 100_000_000) -> SubstrateTree {
  func links(_ capacity: UInt64, _ delay: Int64) -> SubstrateTree.LinkClass {
    SubstrateTree.LinkClass(capacity: capacity, delay: .microseconds(delay), loss: 100, cost: 1)
  }
  return SubstrateTree(
    cores: 2, aggregationsPerCore: 2, edgesPerAggregation: 2, dualHomed: dualHomed,
    core: SubstrateTree.NodeClass(
      computeUnits: 100,
      functions: [HostedFunction(kind: "gateway", computeUnits: 10, processingDelay: .microseconds(50), cost: 1)]),
    aggregation: SubstrateTree.NodeClass(
      computeUnits: 50,
      functions: [HostedFunction(kind: "firewall", computeUnits: 10, processingDelay: .microseconds(100), cost: 1)]),
    edge: SubstrateTree.NodeClass(computeUnits: 0, functions: []),
    endpointLinks: links(1_000_000_000, 100), coreLinks: links(1_000_000_000, 500),
    aggregationLinks: links(400_000_000, 300), edgeLinks: links(200_000_000, 200), radioLinks: links(radio, 1_000))
}

/// A few nodes, any links, everything small enough that elements are scarce and limits bite.
func randomSubstrate(_ generator: inout SeededGenerator) throws -> Substrate {
  let count = Int.random(in: 4...6, using: &generator)
  var nodes: [SubstrateNode] = []
  for index in 0..<count {
    let attachment: SubstrateNode.Attachment = index == 0 ? .cell : index == count - 1 ? .endpoint : .none
    let functions = ["firewall", "gateway", "upf"].filter { _ in Bool.random(using: &generator) }.map {
      HostedFunction(
        kind: $0, computeUnits: .random(in: 0...3, using: &generator),
        processingDelay: Span(nanoseconds: .random(in: 0...4, using: &generator)),
        cost: .random(in: 0...4, using: &generator))
    }
    nodes.append(
      SubstrateNode(
        name: "n\(index)", domain: .transport, attachment: attachment,
        computeUnits: .random(in: 0...6, using: &generator), functions: functions))
  }
  var links: [SubstrateLink] = []
  for _ in 0..<Int.random(in: count...(2 * count - 2), using: &generator) {
    let from = Int.random(in: 0..<count, using: &generator)
    let to = (from + Int.random(in: 1..<count, using: &generator)) % count
    links.append(
      SubstrateLink(
        from: NodeID(from), to: NodeID(to), domain: .transport,
        forwardCapacity: .random(in: 1...8, using: &generator),
        backwardCapacity: Int.random(in: 0...3, using: &generator) == 0 ? 0 : .random(in: 1...8, using: &generator),
        delay: Span(nanoseconds: .random(in: 0...9, using: &generator)),
        loss: .random(in: 0...9, using: &generator) * 10_000_000, cost: .random(in: 0...9, using: &generator)))
  }
  return try Substrate(nodes: nodes, links: links)
}

func randomRequest(_ generator: inout SeededGenerator, on substrate: Substrate) -> SliceRequest {
  let kinds = ["firewall", "gateway", "upf"].filter { substrate.hosts($0) }
  let chain = (0..<Int.random(in: 0...2, using: &generator)).compactMap { _ in kinds.randomElement(using: &generator) }
  let from = Int64.random(in: 0...8, using: &generator)
  return request(
    cell: "n0", to: .endpoint("n\(substrate.nodes.count - 1)"), chain: chain,
    sharing: Int.random(in: 0...3, using: &generator) == 0 ? .exclusive : .shared,
    up: .random(in: 1...3, using: &generator),
    down: Bool.random(using: &generator) ? 0 : .random(in: 1...3, using: &generator),
    delay: Span(nanoseconds: .random(in: 5...40, using: &generator)),
    loss: .random(in: 5...40, using: &generator) * 10_000_000,
    window(from, from + .random(in: 1...4, using: &generator)))
}
