import Messages
import Signing
import Testing

@testable import Slicing

/// Slices between two cells, slices of one activation beside each other, and slices cut by domain.
@Suite struct RestitchTests {
  let substrate: Substrate
  var planner: SlicePlanner
  var calendar: ReservationCalendar

  init() throws {
    substrate = try smallTree().substrate()
    planner = SlicePlanner(substrate: substrate)
    calendar = ReservationCalendar(substrate: substrate)
  }

  private func link(_ from: String, _ to: String) throws -> LinkID {
    LinkID(
      try #require(substrate.links.firstIndex { substrate[$0.from].name == from && substrate[$0.to].name == to }))
  }

  // MARK: Two cells

  @Test mutating func aSliceRunsFromCellToCell() throws {
    let plan = try planner.plan(request(to: .cell("cell-2-1-1")), in: calendar)
    #expect(substrate[plan.destination].name == "cell-2-1-1")
    #expect(plan.steps.contains { if case .place("firewall", _) = $0 { true } else { false } })
    let nearRadio = try link("cell-1-1-1", "edge-1-1-1")
    let farRadio = try link("cell-2-1-1", "edge-2-1-1")
    #expect(plan.links.first == nearRadio && plan.links.last == farRadio)
    let infeasible = #expect(throws: Infeasible.self) {
      try planner.plan(request(to: .cell("endpoint")), in: calendar)
    }
    #expect(infeasible?.reason == .areaNotServed(cell: "endpoint"))
  }

  /// Two cars in one cell: everything goes up the radio link and down again, in both directions of the flow.
  @Test(arguments: [[], ["firewall"]] as [[String]])
  mutating func withinOneCellTheRadioLinkIsChargedTwice(chain: [String]) throws {
    let asked = request(to: .cell("cell-1-1-1"), chain: chain, up: 30_000_000, down: 10_000_000)
    let plan = try planner.plan(asked, in: calendar)
    #expect(plan.predictedDelay >= .microseconds(2_000))
    let radio = try link("cell-1-1-1", "edge-1-1-1")
    for demand in try plan.demands(on: substrate) {
      if case .link(radio, _) = demand.resource { #expect(demand.amount == 40_000_000) }
    }
    try calendar.hold(ReservationID(1), plan)
    try calendar.hold(ReservationID(2), planner.plan(asked, in: calendar))
    #expect(throws: Infeasible.self) { try planner.plan(asked, in: calendar) }
  }

  @Test mutating func whatIsUnderMaintenanceIsGoneRound() throws {
    let usual = try planner.plan(request(chain: []), in: calendar)
    #expect(usual.links.contains(try link("edge-1-1-1", "aggregation-1-1")))
    let around = try planner.plan(request(chain: [], avoided: ["aggregation-1-1", "cell-1-1-1"]), in: calendar)
    #expect(!around.links.contains(try link("edge-1-1-1", "aggregation-1-1")))
    #expect(throws: Infeasible.self) { try planner.plan(request(avoided: ["edge-1-1-1"]), in: calendar) }
  }

  // MARK: Beside each other

  /// Make before break: both ways are held, what they share is charged once, and the old way's own part comes free
  /// when it is released.
  @Test mutating func aRestitchedSliceIsNotChargedTwiceForWhatItShares() throws {
    let holder = activation(1)
    let all: UInt64 = 100_000_000
    let old = try planner.plan(request(to: .cell("cell-2-1-1"), up: all, down: all), in: calendar)
    try calendar.hold(ReservationID(1), old, for: holder)
    let moved = request(cell: "cell-1-1-2", to: .cell("cell-2-1-1"), up: all, down: all, window(4, 10))
    // Somebody else finds the far cell full.
    #expect(throws: Infeasible.self) { try planner.plan(moved, in: calendar) }
    let new = try planner.plan(moved, beside: holder, in: &calendar)
    #expect(throws: CalendarError.self) { try calendar.hold(ReservationID(2), new, for: activation(2)) }
    try calendar.hold(ReservationID(2), new, for: holder)
    let far = try link("cell-2-1-1", "edge-2-1-1")
    let oldNear = try link("cell-1-1-1", "edge-1-1-1")
    let newNear = try link("cell-1-1-2", "edge-1-1-2")
    #expect(calendar.peak(of: .link(far, .backward), during: window(0, 10)) == all)
    #expect(calendar.peak(of: .link(newNear, .forward), during: window(0, 4)) == 0)
    #expect(calendar.peak(of: .link(newNear, .forward), during: window(4, 10)) == all)
    #expect(calendar.peak(of: .link(oldNear, .forward), during: window(4, 10)) == all)
    try calendar.release(ReservationID(1))
    #expect(calendar.peak(of: .link(oldNear, .forward), during: window(0, 10)) == 0)
    #expect(calendar.peak(of: .link(far, .backward), during: window(4, 10)) == all)
    #expect(calendar.peak(of: .link(far, .backward), during: window(0, 4)) == 0)
  }

  @Test mutating func anUndoneRestitchLeavesTheOldSlice() throws {
    let holder = activation(1)
    try calendar.hold(ReservationID(1), planner.plan(request(), in: calendar), for: holder)
    let before = resources(of: substrate).map { calendar.peak(of: $0, during: window(0, 100)) }
    let new = try planner.plan(request(cell: "cell-1-2-1", window(5, 12)), beside: holder, in: &calendar)
    #expect(resources(of: substrate).map { calendar.peak(of: $0, during: window(0, 100)) } == before)
    try calendar.hold(ReservationID(2), new, for: holder)
    try calendar.release(ReservationID(2))
    #expect(resources(of: substrate).map { calendar.peak(of: $0, during: window(0, 100)) } == before)
  }

  @Test mutating func aSliceIsProlongedOnItsOwnWayWhereThatIsFree() throws {
    let holder = activation(1)
    let plan = try planner.plan(request(chain: [], up: 80_000_000), in: calendar)
    try calendar.hold(ReservationID(1), plan, for: holder)
    let more = request(chain: [], up: 90_000_000, window(10, 20))
    let longer = try planner.prolong(plan, more, of: holder, in: &calendar)
    #expect(longer.steps == plan.steps && longer.window == window(10, 20) && longer.throughputUp == 90_000_000)
    // Renegotiated over the running one: more than is free, were its own not counted once.
    _ = try planner.prolong(plan, request(chain: [], up: 90_000_000, window(5, 20)), of: holder, in: &calendar)
    // The way is taken later: another one.
    for number in 2..<4 as Range<UInt64> {
      var taken = plan
      taken.throughputUp = 50_000_000
      taken.window = window(10, 20)
      // Everything but the radio link, which the other cell does not use.
      let demands = try taken.demands(on: substrate).filter { demand in
        guard case .link(let link, _) = demand.resource else { return true }
        return substrate[link].domain != .radio
      }
      try calendar.hold(ReservationID(number), demands, during: taken.window, for: activation(number))
    }
    let elsewhere = try planner.prolong(
      plan, request(chain: [], up: 100_000_000, window(10, 20)), of: holder, in: &calendar)
    #expect(elsewhere.steps.first == plan.steps.first)
    try calendar.hold(ReservationID(9), elsewhere, for: holder)
    #expect(throws: Infeasible.self) {
      try planner.prolong(plan, request(chain: ["upf"], window(20, 30)), of: holder, in: &calendar)
    }
  }

  @Test mutating func aBookingThatMayStartLaterDoes() throws {
    try calendar.hold(ReservationID(1), planner.plan(request(up: 90_000_000), in: calendar))
    let asked = request(up: 90_000_000, window(2, 5))
    #expect(throws: Infeasible.self) { try planner.plan(asked, in: calendar) }
    #expect(throws: Infeasible.self) { try planner.plan(asked, startingBy: .zero + .seconds(9), in: calendar) }
    let plan = try planner.plan(asked, startingBy: .zero + .seconds(10), in: calendar)
    #expect(plan.window == window(10, 13))
  }

  // MARK: By domain

  @Test mutating func theSubSlicesTakeTogetherWhatTheSliceTakes() throws {
    let plan = try planner.plan(request(chain: ["firewall", "gateway"]), in: calendar)
    let parts = try plan.subSlices(on: substrate)
    #expect(parts.map(\.domain) == [.radio, .transport, .compute])
    var demands: [ResourceDemand] = []
    for part in parts {
      let own = SubnetElements(of: part.domain, on: substrate)
      demands += try #require(own.demands(of: part.elements, on: substrate))
      for other in ResourceDomain.allCases where other != part.domain {
        #expect(SubnetElements(of: other, on: substrate).demands(of: part.elements, on: substrate) == nil)
      }
      #expect(own.demands(of: part.elements + part.elements, on: substrate) == nil)
    }
    #expect(Set(demands) == Set(try plan.demands(on: substrate)) && Set(demands).count == demands.count)
  }

  // MARK: Anything, in any order

  /// Activations start, move, are prolonged and end at random: at no moment is more reserved than there is, every
  /// resource is charged with what a plain sum over the holders' maxima says, and nothing is left when all have ended.
  @Test(arguments: 20..<26 as Range<UInt64>)
  mutating func capacityHoldsThroughAnyHistory(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var held: [(id: ReservationID, holder: ActivationID, plan: SlicePlan)] = []
    var done = [0, 0, 0, 0]
    for number in 1...UInt64(200) {
      let what = Int.random(in: 0..<4, using: &generator)
      let chosen = held.randomElement(using: &generator)
      let asked = anyRequest(&generator)
      switch (what, chosen) {
      case (1, let old?):
        guard let plan = try? planner.plan(asked, beside: old.holder, in: &calendar) else { continue }
        try calendar.hold(ReservationID(number), plan, for: old.holder)
        held.append((ReservationID(number), old.holder, plan))
      case (2, let old?):
        guard let plan = try? planner.prolong(old.plan, asked, of: old.holder, in: &calendar) else { continue }
        try calendar.hold(ReservationID(number), plan, for: old.holder)
        held.append((ReservationID(number), old.holder, plan))
      case (3, let old?) where held.count > 12:
        try calendar.release(old.id)
        held.removeAll { $0.id == old.id }
      default:
        guard let plan = try? planner.plan(asked, in: calendar) else { continue }
        try calendar.hold(ReservationID(number), plan, for: activation(number))
        held.append((ReservationID(number), activation(number), plan))
      }
      done[what] += 1
      if number.isMultiple(of: 20) { try expectCharged(held) }
      for resource in resources(of: substrate) {
        #expect(calendar.peak(of: resource, during: window(0, 100)) <= substrate.capacity(of: resource))
      }
    }
    #expect(done.allSatisfy { $0 > 5 }, "\(done)")
    for reservation in held { try calendar.release(reservation.id) }
    for resource in resources(of: substrate) { #expect(calendar.peak(of: resource, during: window(0, 100)) == 0) }
  }

  private func anyRequest(_ generator: inout SeededGenerator) -> SliceRequest {
    func cell() -> String {
      SubstrateTree.cellName(
        .random(in: 1...2, using: &generator), .random(in: 1...2, using: &generator),
        .random(in: 1...2, using: &generator))
    }
    let from = Int64.random(in: 0...30, using: &generator)
    return request(
      cell: cell(), to: Bool.random(using: &generator) ? .endpoint("endpoint") : .cell(cell()),
      chain: Bool.random(using: &generator) ? ["firewall"] : [],
      sharing: Int.random(in: 0...9, using: &generator) == 0 ? .exclusive : .shared,
      up: .random(in: 1...30_000_000, using: &generator), down: .random(in: 0...30_000_000, using: &generator),
      delay: .milliseconds(9), window(from, from + .random(in: 1...10, using: &generator)))
  }

  private func expectCharged(
    _ held: [(id: ReservationID, holder: ActivationID, plan: SlicePlan)]
  ) throws {
    var expected: [Resource: [UInt64]] = [:]
    for second in 0..<Int64(41) {
      var most: [ActivationID: [Resource: UInt64]] = [:]
      for reservation in held {
        let window = reservation.plan.window
        guard window.from <= .zero + .seconds(second), .zero + .seconds(second) < window.to else { continue }
        for demand in try reservation.plan.demands(on: substrate) {
          most[reservation.holder, default: [:]][demand.resource, default: 0] =
            max(most[reservation.holder]?[demand.resource] ?? 0, demand.amount)
        }
      }
      for amounts in most.values {
        for (resource, amount) in amounts {
          expected[resource, default: [UInt64](repeating: 0, count: 41)][Int(second)] += amount
        }
      }
    }
    for resource in resources(of: substrate) {
      for second in 0..<Int64(41) {
        #expect(
          calendar.peak(of: resource, during: window(second, second + 1)) == expected[resource]?[Int(second)] ?? 0)
      }
    }
  }
}

func resources(of substrate: Substrate) -> [Resource] {
  substrate.links.indices.flatMap { [.link(LinkID($0), .forward), .link(LinkID($0), .backward)] }
    + substrate.nodes.indices.map { .compute(NodeID($0)) }
}
