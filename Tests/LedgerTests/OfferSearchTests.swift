import Ledger
import Messages
import Signing
import Testing

/// A customer looks through the offers of all operators.
@Suite struct OfferSearchTests {
  private static let search = OfferSearch(
    profile: "remote-surgery", cells: ["cell-1"], peer: "robot", earliestStart: World.start + .seconds(10),
    latestStart: World.start + .seconds(20), duration: .seconds(10))

  private static func offers(_ terms: [ContractTerms]) throws -> [(id: ContractID, record: ContractRecord)] {
    var world = try World()
    for terms in terms {
      let author = terms.operatorID == World.organisation("operator-1") ? "operator-1" : "operator-0"
      #expect(try world.send(.deployContract(terms), by: "\(author) controller") == .accepted)
    }
    return world.state.contracts()
  }

  @Test func theCheapestOfAllOperatorsComesFirst() throws {
    var other = World.terms()
    other.operatorID = World.organisation("operator-1")
    other.money.pricePerEpoch = 9
    var dear = World.terms(number: 2)
    dear.money.pricePerEpoch = 11
    // Half the price for epochs of half the length.
    var fine = World.terms(number: 3)
    fine.metering.epoch = .milliseconds(500)
    fine.money.pricePerEpoch = 5
    let matches = Self.search.matches(try Self.offers([World.terms(), dear, other, fine]))
    let equal = [World.terms().id, fine.id].sorted()
    #expect(matches.map(\.contract) == [other.id] + equal + [dear.id])
    #expect(matches.map(\.price) == [97, 107, 107, 117])
    #expect(matches.first { $0.contract == fine.id }?.epochs == 20)
  }

  @Test func anEpochBegunIsAnEpochBooked() throws {
    let offers = try Self.offers([World.terms()])
    var search = Self.search
    search.duration = .milliseconds(9_001)
    #expect(search.matches(offers).map(\.epochs) == [10])
    // The least that the contract sells.
    search.duration = .milliseconds(300)
    #expect(search.matches(offers).map(\.epochs) == [2])
  }

  private static let misfits: [(String, @Sendable (inout OfferSearch) -> Void)] = [
    ("service", { $0.profile = "remote-driving" }),
    ("throughput up", { $0.guaranteedUp = 1_000_001 }),
    ("throughput down", { $0.guaranteedDown = 1_000_001 }),
    ("area", { $0.cells.append("elsewhere") }),
    ("peer", { $0.peer = "somebody" }),
    ("price", { $0.priceAtMost = 106 }),
    ("too long", { $0.duration = .seconds(101) }),
    ("no time", { $0.duration = .zero }),
    ("starts", { ($0.earliestStart, $0.latestStart) = ($0.latestStart, $0.earliestStart) }),
    ("window", { $0.latestStart = World.start + .seconds(14) }),
    ("window", { $0.earliestStart = World.start + .seconds(21) }),
  ]

  @Test(arguments: misfits.indices)
  func whatDoesNotFitIsLeftOut(index: Int) throws {
    let window = TimeWindow(from: World.start + .seconds(15), to: World.start + .seconds(30))
    let offers = try Self.offers([World.terms(serviceTimes: [window])])
    #expect(Self.search.matches(offers).count == 1)
    var search = Self.search
    if Self.misfits[index].0 == "window" { search.latestStart = max(search.latestStart, World.start + .seconds(22)) }
    Self.misfits[index].1(&search)
    #expect(search.matches(offers).isEmpty, "\(Self.misfits[index].0)")
  }

  @Test func anyServiceAndAnyPeer() throws {
    var search = Self.search
    search.profile = nil
    search.peer = nil
    search.priceAtMost = 107
    #expect(search.matches(try Self.offers([World.terms()])).count == 1)
  }

  @Test func onlyActiveOffers() throws {
    var world = try World()
    let contract = try world.deploy()
    #expect(Self.search.matches(world.state.contracts()).count == 1)
    #expect(try world.send(.setContractStatus(contract, .inactive), by: "operator-0 controller") == .accepted)
    #expect(Self.search.matches(world.state.contracts()).isEmpty)
  }
}
