import Messages
import Signing
import Testing

@testable import Slicing

@Suite struct ReservationCalendarTests {
  /// The tree against a plain list of intervals, through thousands of changes.
  @Test(arguments: [1, 2, 3] as [UInt64])
  func profileAgreesWithAList(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var profile = LoadProfile()
    var intervals: [(amount: Int64, from: UInt64, to: UInt64)] = []
    for _ in 0..<1_500 {
      if intervals.count > 40 || (!intervals.isEmpty && Bool.random(using: &generator)) {
        let gone = intervals.remove(at: .random(in: 0..<intervals.count, using: &generator))
        profile.add(-gone.amount, from: gone.from, to: gone.to)
      } else {
        let from = UInt64.random(in: 0...50, using: &generator)
        let new = (
          amount: Int64.random(in: 1...9, using: &generator), from: from,
          to: from + .random(in: 1...20, using: &generator)
        )
        intervals.append(new)
        profile.add(new.amount, from: new.from, to: new.to)
      }
      let from = UInt64.random(in: 0...60, using: &generator)
      let to = from + .random(in: 1...20, using: &generator)
      let level = { (time: UInt64) in intervals.filter { $0.from <= time && time < $0.to }.map(\.amount).reduce(0, +) }
      #expect(profile.peak(from: from, to: to) == (from..<to).map(level).max())
      #expect(profile.firstFall(after: from) == (from + 1...90).first { level($0) < level($0 - 1) })
    }
    for interval in intervals { profile.add(-interval.amount, from: interval.from, to: interval.to) }
    #expect(profile.stepCount == 0)
  }

  /// Times in order are what degenerates a search tree; queries must stay quick and right.
  @Test func ascendingTimesStayBalanced() {
    var profile = LoadProfile()
    for time in 0..<UInt64(20_000) { profile.add(1, from: time, to: time + 10) }
    #expect(profile.peak(from: 0, to: 30_000) == 10)
    #expect(profile.peak(from: 20_005, to: 20_006) == 4)
    for time in 0..<UInt64(20_000) { profile.add(-1, from: time, to: time + 10) }
    #expect(profile.peak(from: 0, to: 30_000) == 0)
  }

  /// Random requests, holds, confirmations and releases on a tree: never more reserved than there is, and everything
  /// given back leaves nothing.
  @Test(arguments: [10, 11, 12, 13] as [UInt64])
  func capacityIsNeverExceeded(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let substrate = try smallTree().substrate()
    var calendar = ReservationCalendar(substrate: substrate)
    var planner = SlicePlanner(substrate: substrate)
    var live: [ReservationID] = []
    var (planned, refused) = (0, 0)
    for number in 0..<UInt64(300) {
      let from = Int64.random(in: 0...30, using: &generator)
      let asked = request(
        cell: SubstrateTree.cellName(
          .random(in: 1...2, using: &generator), .random(in: 1...2, using: &generator),
          .random(in: 1...2, using: &generator)),
        chain: Bool.random(using: &generator) ? ["firewall"] : ["firewall", "gateway"],
        sharing: Int.random(in: 0...9, using: &generator) == 0 ? .exclusive : .shared,
        up: .random(in: 1...40_000_000, using: &generator), down: .random(in: 0...40_000_000, using: &generator),
        window(from, from + .random(in: 1...10, using: &generator)))
      if let plan = try? planner.plan(asked, in: calendar) {
        planned += 1
        try calendar.hold(ReservationID(number), plan)
        live.append(ReservationID(number))
      } else {
        refused += 1
      }
      if let last = live.last, Bool.random(using: &generator) { try calendar.confirm(last) }
      if live.count > 30 { try calendar.release(live.remove(at: .random(in: 0..<live.count, using: &generator))) }
      expectWithinCapacity(calendar)
    }
    #expect(planned > 100 && refused > 10, "planned \(planned), refused \(refused)")
    for id in live { try calendar.release(id) }
    #expect(calendar.count == 0)
    for resource in resources(of: substrate) { #expect(calendar.peak(of: resource, during: window(0, 100)) == 0) }
  }

  private func expectWithinCapacity(_ calendar: ReservationCalendar) {
    for resource in resources(of: calendar.substrate) {
      #expect(calendar.peak(of: resource, during: window(0, 100)) <= calendar.substrate.capacity(of: resource))
    }
  }

  @Test func adjacentWindowsDoNotConflict() throws {
    let substrate = try smallTree().substrate()
    var calendar = ReservationCalendar(substrate: substrate)
    var planner = SlicePlanner(substrate: substrate)
    for (number, window) in [window(10, 20), window(0, 10), window(20, 30)].enumerated() {
      let plan = try planner.plan(request(up: 100_000_000, down: 100_000_000, window), in: calendar)
      try calendar.hold(ReservationID(UInt64(number)), plan)
    }
    #expect(throws: Infeasible.self) { try planner.plan(request(window(19, 21)), in: calendar) }
  }

  @Test func aSecondHoldOnTheSameCapacityIsRefusedWhole() throws {
    let substrate = try smallTree().substrate()
    var calendar = ReservationCalendar(substrate: substrate)
    var planner = SlicePlanner(substrate: substrate)
    let plan = try planner.plan(request(up: 60_000_000, down: 60_000_000), in: calendar)
    try calendar.hold(ReservationID(1), plan)
    let before = resources(of: substrate).map { calendar.peak(of: $0, during: window(0, 100)) }
    let refusal = #expect(throws: CalendarError.self) { try calendar.hold(ReservationID(2), plan) }
    guard case .insufficient(_, asked: 60_000_000, free: 40_000_000) = refusal else {
      Issue.record("refused for \(String(describing: refusal))")
      return
    }
    #expect(resources(of: substrate).map { calendar.peak(of: $0, during: window(0, 100)) } == before)
    #expect(throws: CalendarError.alreadyReserved(ReservationID(1))) { try calendar.hold(ReservationID(1), plan) }
    #expect(throws: CalendarError.unknown(ReservationID(2))) { try calendar.release(ReservationID(2)) }
  }

  @Test func aCalendarIsRebuiltFromItsRecords() throws {
    let substrate = try smallTree().substrate()
    var calendar = ReservationCalendar(substrate: substrate)
    var planner = SlicePlanner(substrate: substrate)
    var records: [SliceRecord] = []
    for (number, state) in SliceRecord.State.allCases.enumerated() {
      let plan = try planner.plan(request(up: 20_000_000), in: calendar)
      let id = ReservationID(UInt64(number))
      if state != .released { try calendar.hold(id, plan) }
      if state == .confirmed { try calendar.confirm(id) }
      let record = SliceRecord(
        id: id, activation: activation(id.number), state: state, confirmationExpiry: 7,
        plan: plan)
      records.append(try SliceRecord(decoding: record.encoded))
      #expect(records.last == record)
    }
    let rebuilt = try ReservationCalendar(substrate: substrate, recovering: records)
    #expect(rebuilt.count == 2)
    for number in 0..<UInt64(3) {
      #expect(rebuilt.reservation(ReservationID(number)) == calendar.reservation(ReservationID(number)))
    }
    let doubled =
      records
      + records.map { record in
        var again = record
        again.id = ReservationID(record.id.number + 10)
        again.activation = activation(again.id.number)
        again.plan.throughputUp = 90_000_000
        return again
      }
    #expect(throws: CalendarError.self) { try ReservationCalendar(substrate: substrate, recovering: doubled) }
  }
}
