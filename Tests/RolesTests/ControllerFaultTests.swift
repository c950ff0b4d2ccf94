import Effects
import FixtureSupport
import Messages
import Slicing
import Testing

@testable import Roles
@testable import Signing

/// The controller and its three domain managers while messages are lost, answered in vain and told twice, and any of
/// them crashes at any moment.
private struct FaultyDomains {
  var story: ControllerStory
  var domains: [ResourceDomain: Driver<DomainCore>] = [:]
  var generator: SeededGenerator
  /// Orders that come once more, later.
  var late: [(ResourceDomain, Message)] = []
  var activations: [ActivationID] = []

  init(seed: UInt64) throws {
    generator = SeededGenerator(seed: seed)
    story = try ControllerStory(domains: ResourceDomain.allCases)
    for domain in ResourceDomain.allCases {
      let configuration = DomainCore.Configuration(
        name: "alpha-\(domain)", domain: domain, controller: ActorAddress(.controller, ControllerStory.controllerName),
        substrate: try ControllerStory.substrate())
      domains[domain] = try Driver(at: Chain.start) { try DomainCore(configuration, recovering: $0) }
    }
  }

  private mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &generator) < percent }

  private mutating func tell(_ domain: ResourceDomain, _ message: Message) -> Result<Message, RemoteError> {
    let controller = ActorAddress(.controller, ControllerStory.controllerName)
    guard let token = domains[domain]?.ask(message, by: controller) else { return .failure(RemoteError(.unavailable)) }
    return domains[domain]?.replies[token] ?? .failure(RemoteError(.deadlineExceeded))
  }

  private func domain(_ request: Driver<ControllerCore>.Request) -> ResourceDomain? {
    ResourceDomain.allCases.first { request.to == .domain($0, of: "alpha") }
  }

  /// One request to a domain manager meets its fate.
  mutating func deliver(faults: Bool) {
    let open = story.driver.requests.filter { domain($0) != nil }
    guard let request = open.randomElement(using: &generator), let domain = domain(request) else { return }
    let isLost = faults && chance(15)
    var answer = Result<Message, RemoteError>.failure(RemoteError(.deadlineExceeded))
    if !isLost { answer = tell(domain, request.message) }
    if faults, chance(15) { late.append((domain, request.message)) }
    if faults, chance(15) { answer = .failure(RemoteError(.deadlineExceeded)) }
    story.driver.answer(answer) { $0.id == request.id }
  }

  mutating func step() throws {
    switch Int.random(in: 0..<20, using: &generator) {
    case 0:
      let order = chance(50) ? story.chain.order() : story.orderBetweenTwo(epochs: 20)
      try story.block([order])
      activations.append(ActivationID(order.id))
    case 1:
      guard let id = activations.randomElement(using: &generator) else { return }
      try story.block([story.chain.sign(.terminate(id), by: "hospital treasury")], after: .milliseconds(50))
    case 2:
      guard let id = activations.randomElement(using: &generator) else { return }
      let cell = chance(50) ? "cell-1" : "cell-2"
      let request = HandoverRequest(activation: id, end: .near, cell: cell)
      _ = story.driver.ask(.requestHandover(request), by: ActorAddress(.customer, "hospital"))
    case 3 where chance(40): try story.driver.restart(story.chain, after: .milliseconds(20))
    case 4 where chance(40):
      let domain = ResourceDomain.allCases.randomElement(using: &generator) ?? .radio
      try domains[domain]?.restart(story.chain)
    case 5:
      guard !late.isEmpty else { return }
      let (domain, message) = late.remove(at: .random(in: 0..<late.count, using: &generator))
      _ = tell(domain, message)
    case 6, 7: try story.settleSubmissions()
    case 8: story.driver.wait(.milliseconds(150))
    default: deliver(faults: true)
    }
    obeyEdges()
  }

  mutating func obeyEdges() { story.obeyAll { !$0.isAllocation && !$0.isSubnetRelease } }

  /// Nothing is lost any more.
  mutating func calm() throws {
    for (domain, message) in late { _ = tell(domain, message) }
    late = []
    for _ in 0..<80 {
      while story.driver.requests.contains(where: { domain($0) != nil }) { deliver(faults: false) }
      obeyEdges()
      story.driver.answer(.failure(RemoteError(.unavailable))) { $0.message.isServiceReportQuestion }
      try story.settleSubmissions(after: .milliseconds(50))
      story.driver.wait(.milliseconds(100))
    }
  }

  /// Plans that a domain manager has allocated, by its disk.
  func allocated(_ domain: ResourceDomain) -> Set<Digest> {
    let records = (domains[domain]?.disk[DomainCore.Stream.allocations] ?? [:]).values
    return Set(records.compactMap { try? SubnetOrder(decoding: $0).plan })
  }
}

@Suite struct ControllerFaultTests {
  @Test(arguments: 0..<6 as Range<UInt64>)
  func inTheEndDomainsHoldWhatIsSoldAndNothingElse(seed: UInt64) throws {
    var world = try FaultyDomains(seed: seed)
    for _ in 0..<160 {
      try world.step()
      // What the ledger has, every domain has.
      for slice in world.story.slices where slice.state == .confirmed {
        for part in slice.subSlices {
          #expect(world.allocated(part.domain).contains(slice.plan.hash), "slice \(slice.key) in \(part.domain)")
        }
      }
    }
    try world.calm()
    let live = world.story.slices.filter { $0.state != .released }
    for domain in ResourceDomain.allCases {
      let sold = live.filter { slice in slice.subSlices.contains { $0.domain == domain } }
      #expect(world.allocated(domain) == Set(sold.map(\.plan.hash)), "\(domain)")
    }
    for slice in world.story.slices where slice.state == .released {
      #expect(slice.subSlices.allSatisfy { $0.phase == .released }, "slice \(slice.key)")
    }
    #expect(world.story.slices.count > 5, "\(world.story.slices.count) slices")
    // Another life finds the same.
    try world.story.driver.restart(world.story.chain)
    #expect(world.story.driver.requests.allSatisfy { !$0.message.isAllocation && !$0.message.isSubnetRelease })
  }
}
