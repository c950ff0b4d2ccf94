import Messages
import Testing

@testable import Slicing

@Suite struct PathSearchTests {
  /// Random small networks, filled slice by slice: at every step the search finds exactly what an exhaustive one
  /// finds, the plan adds up, and a recommendation is feasible when it is made.
  @Test(arguments: 0..<60 as Range<UInt64>)
  func agreesWithExhaustiveSearch(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let substrate = try randomSubstrate(&generator)
    var calendar = ReservationCalendar(substrate: substrate)
    var planner = SlicePlanner(substrate: substrate)
    for number in 0..<UInt64(12) {
      let request = randomRequest(&generator, on: substrate)
      var exhaustive = ExhaustiveSearch(substrate: substrate, calendar: calendar, request: request)
      let expected = exhaustive.run()
      let found = Result { () throws(Infeasible) in try planner.plan(request, in: calendar) }
      switch found {
      case .success(let plan):
        let predicted = ExhaustiveSearch.Best(
          cost: Int64(plan.cost), delay: plan.predictedDelay.nanoseconds, loss: expected?.loss ?? -1)
        #expect(predicted == expected, "request \(number): \(request)")
        #expect(plan.predictedLoss <= request.requirements.maximumLoss)
        try calendar.hold(ReservationID(number), plan)
      case .failure(let infeasible):
        #expect(expected == nil, "request \(number): \(request) \(infeasible)")
        try checkRecommendation(infeasible, of: request, &planner, calendar)
      }
    }
  }

  private func checkRecommendation(
    _ infeasible: Infeasible, of request: SliceRequest, _ planner: inout SlicePlanner, _ calendar: ReservationCalendar
  ) throws {
    guard let recommended = infeasible.recommended else { return }
    #expect(recommended != request.requirements)
    var relaxed = request
    relaxed.requirements = recommended
    let plan = try planner.plan(relaxed, in: calendar)
    #expect(plan.predictedDelay <= recommended.maximumDelay)
    #expect(plan.predictedLoss <= recommended.maximumLoss)
  }

  @Test func functionsArePassedInTheOrderOfTheChain() throws {
    let substrate = try smallTree().substrate()
    var planner = SlicePlanner(substrate: substrate)
    let calendar = ReservationCalendar(substrate: substrate)
    for chain in [["firewall", "gateway"], ["gateway", "firewall"], ["gateway", "firewall", "gateway"]] {
      let plan = try planner.plan(request(chain: chain), in: calendar)
      let placed = plan.steps.compactMap { if case .place(let kind, _) = $0 { kind } else { nil } }
      #expect(placed == chain)
      _ = try plan.demands(on: substrate)
    }
  }

  /// A chain that leads to a node and back is charged for both crossings.
  @Test func aLinkCrossedTwiceIsChargedTwice() throws {
    var tree = smallTree(dualHomed: false)
    tree.cores = 1
    tree.aggregationsPerCore = 1
    tree.edgesPerAggregation = 1
    let substrate = try tree.substrate()
    var planner = SlicePlanner(substrate: substrate)
    let calendar = ReservationCalendar(substrate: substrate)
    let chain = ["gateway", "firewall"]
    let plan = try planner.plan(request(chain: chain, up: 200_000_000 / 10, down: 0), in: calendar)
    let demands = try plan.demands(on: substrate)
    let aggregationLink = try #require(
      substrate.links.firstIndex { substrate[$0.from].name == "aggregation-1-1" && substrate[$0.to].name == "core-1" })
    for direction in LinkDirection.allCases {
      let demand = demands.first { $0.resource == .link(LinkID(aggregationLink), direction) }
      #expect(demand?.amount == (direction == .forward ? 40_000_000 : 20_000_000))
    }
  }

  @Test func reasonsNameWhatIsMissing() throws {
    let substrate = try smallTree().substrate()
    var planner = SlicePlanner(substrate: substrate)
    let calendar = ReservationCalendar(substrate: substrate)
    func reason(_ request: SliceRequest) -> Infeasible.Reason? {
      do throws(Infeasible) {
        _ = try planner.plan(request, in: calendar)
        return nil
      } catch {
        return error.reason
      }
    }
    #expect(reason(request()) == nil)
    #expect(reason(request(cell: "cell-9-9-9")) == .areaNotServed(cell: "cell-9-9-9"))
    #expect(reason(request(cell: "core-1")) == .areaNotServed(cell: "core-1"))
    #expect(reason(request(to: .endpoint("nowhere"))) == .unknownEndpoint("nowhere"))
    #expect(reason(request(chain: ["upf"])) == .networkFunctionMissing(kind: "upf"))
    #expect(reason(request(delay: .microseconds(1_000))) == .delay(best: .microseconds(1_700)))
    #expect(reason(request(loss: 300)) == .loss(best: 400))
    #expect(reason(request(up: 500_000_000)) == .capacity(at: .link(radioLink(substrate), .forward)))
    #expect(reason(request(up: .max, down: .max)) == .capacity(at: .link(radioLink(substrate), .forward)))
    #expect(reason(request(up: 0, down: 0)) == .malformed("no throughput in either direction"))
    #expect(reason(request(window(5, 5))) == .malformed("empty window"))
  }

  private func radioLink(_ substrate: Substrate) -> LinkID {
    LinkID(substrate.links.firstIndex { substrate[$0.from].name == "cell-1-1-1" } ?? -1)
  }

  @Test func aFullCellRecommendsWhatIsLeft() throws {
    let substrate = try smallTree().substrate()
    var planner = SlicePlanner(substrate: substrate)
    var calendar = ReservationCalendar(substrate: substrate)
    try calendar.hold(ReservationID(1), planner.plan(request(up: 70_000_000, down: 1_000), in: calendar))
    let infeasible = #expect(throws: Infeasible.self) {
      try planner.plan(request(up: 40_000_000, down: 1_024_000), in: calendar)
    }
    #expect(infeasible?.reason == .capacity(at: .link(radioLink(substrate), .forward)))
    #expect(infeasible?.recommended?.throughputUp == 30_000_000)
    #expect(infeasible?.recommended?.throughputDown == 768_000)
    // Less than half is left: the same, as soon as the other slice has ended.
    let later = #expect(throws: Infeasible.self) {
      try planner.plan(request(up: 90_000_000, down: 0, window(3, 6)), in: calendar)
    }
    #expect(later?.recommended?.window == window(10, 13))
    #expect(later?.recommended?.throughputUp == 90_000_000)
  }

  @Test func anExclusiveSliceSharesNoNodeThatRunsItsFunctions() throws {
    let substrate = try smallTree().substrate()
    var planner = SlicePlanner(substrate: substrate)
    var calendar = ReservationCalendar(substrate: substrate)
    var firewalls: [NodeID] = []
    for number in 0..<4 as Range<UInt64> {
      let plan = try planner.plan(request(sharing: .exclusive, up: 1_000, down: 1_000), in: calendar)
      firewalls += plan.steps.compactMap { if case .place(_, let node) = $0 { node } else { nil } }
      try calendar.hold(ReservationID(number), plan)
    }
    #expect(Set(firewalls).count == 4)
    #expect(throws: Infeasible.self) { try planner.plan(request(sharing: .shared), in: calendar) }
    #expect(throws: Never.self) { try planner.plan(request(window(10, 20)), in: calendar) }
  }

  @Test func theSameQuestionHasTheSameAnswer() throws {
    let substrate = try smallTree().substrate()
    let calendar = ReservationCalendar(substrate: substrate)
    var warm = SlicePlanner(substrate: substrate)
    for core in 1...2 {
      for edge in 1...2 {
        let asked = request(cell: SubstrateTree.cellName(core, 1, edge), chain: ["firewall", "gateway"])
        var cold = SlicePlanner(substrate: try smallTree().substrate())
        #expect(try warm.plan(asked, in: calendar).encoded == cold.plan(asked, in: calendar).encoded)
      }
    }
  }

  @Test func searchGivesUpHonestly() throws {
    let substrate = try smallTree().substrate()
    let problem = PathProblem(
      cell: try #require(substrate.node(named: "cell-1-1-1")).index,
      destination: try #require(substrate.node(named: "endpoint")).index, chain: [], exclusive: false, up: 1, down: 1,
      window: window(0, 1))
    let bounds = PathBounds(problem.boundsKey, on: substrate)
    var search = PathSearch(problem, substrate: substrate, bounds: bounds, calendar: nil, maximumLabels: 2)
    guard case .searchLimit = search.run() else {
      Issue.record("found a path with two labels")
      return
    }
  }
}
