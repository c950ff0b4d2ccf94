import Effects
import Messages
import Slicing
import Testing

@testable import Roles
@testable import Signing

/// A domain manager's elements, their allocations and its disk.
@Suite struct DomainTests {
  private static let controller = ActorAddress(.controller, "alpha")
  private var driver: Driver<DomainCore>

  init() throws {
    let configuration = DomainCore.Configuration(
      name: "alpha-radio", domain: .radio, controller: Self.controller, substrate: try ControllerStory.substrate())
    driver = try Driver(at: Chain.start) { try DomainCore(configuration, recovering: $0) }
    driver.handle(.started)
  }

  private static func order(
    _ number: UInt8, plan: UInt8 = 0, up: UInt64 = 1_000_000, cell: String = "cell-1→switch #0", seconds: Int64 = 10
  ) -> SubnetOrder {
    SubnetOrder(
      activation: ActivationID(Digest(hashing: [number])), plan: Digest(hashing: [number, plan]), domain: .radio,
      window: TimeWindow(from: Chain.start, to: Chain.start + .seconds(seconds)),
      elements: [SubnetElement(name: cell, up: up, down: up)])
  }

  private mutating func ask(_ message: Message, by asker: ActorAddress = controller) -> RemoteError.Code? {
    let token = driver.ask(message, by: asker)
    switch driver.replies[token] {
    case .success(.acknowledged)?: return nil
    case .failure(let error)?: return error.code
    default: return .unimplemented
    }
  }

  private mutating func restart() throws { try driver.restart(Chain()) }

  @Test mutating func nothingIsGivenTwice() throws {
    for number in 0..<10 as Range<UInt8> { #expect(ask(.allocateSubnet(Self.order(number))) == nil) }
    #expect(ask(.allocateSubnet(Self.order(10))) == .failedPrecondition)
    #expect(ask(.allocateSubnet(Self.order(11, cell: "cell-2→switch #3"))) == nil)
    // Told again it is the same; another order for the plan is not.
    #expect(ask(.allocateSubnet(Self.order(3))) == nil)
    #expect(ask(.allocateSubnet(Self.order(3, up: 2))) == .failedPrecondition)
    #expect(ask(.releaseSubnet(Self.order(3).subnet)) == nil)
    #expect(ask(.allocateSubnet(Self.order(10))) == nil)
  }

  /// Two slices of one activation share what both use.
  @Test mutating func aRestitchedSliceCountsOnce() throws {
    #expect(ask(.allocateSubnet(Self.order(1, up: 10_000_000))) == nil)
    #expect(ask(.allocateSubnet(Self.order(1, plan: 1, up: 10_000_000))) == nil)
    #expect(ask(.releaseSubnet(Self.order(1).subnet)) == nil)
    #expect(ask(.allocateSubnet(Self.order(2, up: 1))) == .failedPrecondition)
    #expect(ask(.releaseSubnet(Self.order(1, plan: 1).subnet)) == nil)
    #expect(ask(.allocateSubnet(Self.order(2, up: 1))) == nil)
  }

  @Test mutating func onlyItsControllerAndOnlyItsElements() throws {
    let stranger = ActorAddress(.controller, "beta")
    #expect(ask(.allocateSubnet(Self.order(1)), by: stranger) == .permissionDenied)
    #expect(ask(.releaseSubnet(Self.order(1).subnet), by: stranger) == .permissionDenied)
    #expect(ask(.allocateSubnet(Self.order(1, cell: "switch→robot #1"))) == .invalidArgument)
    var foreign = Self.order(1)
    foreign.domain = .transport
    #expect(ask(.allocateSubnet(foreign)) == .invalidArgument)
    #expect(ask(.allocateSubnet(Self.order(1, seconds: 0))) == .invalidArgument)
    #expect(ask(.getTerms) == .unimplemented)
  }

  @Test mutating func whatIsAcknowledgedSurvivesACrash() throws {
    #expect(ask(.allocateSubnet(Self.order(1, up: 6_000_000))) == nil)
    #expect(ask(.allocateSubnet(Self.order(2, up: 4_000_000))) == nil)
    #expect(ask(.releaseSubnet(Self.order(2).subnet)) == nil)
    try restart()
    #expect(ask(.allocateSubnet(Self.order(1, up: 6_000_000))) == nil)
    #expect(ask(.allocateSubnet(Self.order(3, up: 5_000_000))) == .failedPrecondition)
    #expect(ask(.allocateSubnet(Self.order(3, up: 4_000_000))) == nil)
    // The repetition of an order that was undone meanwhile.
    #expect(ask(.allocateSubnet(Self.order(2, up: 4_000_000))) == .failedPrecondition)
  }

  @Test mutating func aReleaseMayOvertakeItsOrder() throws {
    #expect(ask(.releaseSubnet(Self.order(1).subnet)) == nil)
    #expect(ask(.allocateSubnet(Self.order(1))) == .failedPrecondition)
    try restart()
    #expect(ask(.allocateSubnet(Self.order(1))) == .failedPrecondition)
    #expect(ask(.allocateSubnet(Self.order(1, plan: 1))) == nil)
  }

  @Test mutating func rememberedReleasesAreBounded() throws {
    #expect(ask(.allocateSubnet(Self.order(0))) == nil)
    for number in 0..<UInt64(DomainCore.maximumRemembered + 20) {
      let subnet = SubnetRelease(activation: Self.order(1).activation, plan: Digest(hashing: number.encoded))
      #expect(ask(.releaseSubnet(subnet)) == nil)
    }
    let records = driver.disk[DomainCore.Stream.allocations] ?? [:]
    #expect(records.values.count { !$0.isEmpty } == DomainCore.maximumRemembered + 1)
    try restart()
    #expect(ask(.releaseSubnet(Self.order(0).subnet)) == nil)
    #expect((driver.disk[DomainCore.Stream.allocations]?.count ?? 0) <= DomainCore.maximumRemembered + 1)
    try restart()
    #expect(ask(.allocateSubnet(Self.order(2, up: 10_000_000))) == nil)
  }
}
