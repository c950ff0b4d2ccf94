import Effects
import Foundation
import GRDB
import Messages
import Signing
import Slicing
import Testing

@testable import Storage

@Suite struct ControllerStoreTests {
  let directory: TemporaryDirectory
  var path: String { directory.file("controller.sqlite") }

  init() throws { directory = try TemporaryDirectory() }

  /// One cell, one firewall, one endpoint.
  static func substrate(capacity: UInt64 = 1_000_000) throws -> Substrate {
    func link(_ from: Int, _ to: Int) -> SubstrateLink {
      SubstrateLink(
        from: NodeID(from), to: NodeID(to), domain: .transport, forwardCapacity: capacity, backwardCapacity: capacity,
        delay: .milliseconds(1), loss: 5, cost: 1)
    }
    let firewall = HostedFunction(kind: "firewall", computeUnits: 2, processingDelay: .microseconds(10), cost: 3)
    return try Substrate(
      nodes: [
        SubstrateNode(name: "cell", domain: .radio, attachment: .cell),
        SubstrateNode(name: "switch", domain: .compute, computeUnits: 100, functions: [firewall]),
        SubstrateNode(name: "endpoint", domain: .transport, attachment: .endpoint),
      ], links: [link(0, 1), link(1, 2)])
  }

  static func record(
    _ number: UInt64, _ state: SliceRecord.State = .held, on substrate: Substrate, throughput: UInt64 = 1_000
  ) throws -> SliceRecord {
    var planner = SlicePlanner(substrate: substrate)
    let window = TimeWindow(from: .zero + .seconds(Int64(number)), to: .zero + .seconds(Int64(number) + 1))
    let plan = try planner.plan(
      SliceRequest(
        cell: "cell", destination: .endpoint("endpoint"), functionChain: ["firewall"], sharing: .shared,
        requirements: SliceRequirements(
          throughputUp: throughput, throughputDown: throughput, maximumDelay: .milliseconds(9), maximumLoss: 100,
          window: window)), in: ReservationCalendar(substrate: substrate))
    return SliceRecord(
      id: ReservationID(number), activation: ActivationID(Digest(label: "activation", number.encoded)), state: state,
      confirmationExpiry: 100 + number, plan: plan,
      subSlices: [
        SliceRecord.SubSliceState(domain: .transport, phase: state == .released ? .releasing : .allocated),
        SliceRecord.SubSliceState(domain: .compute, phase: state == .released ? .released : .ordered),
      ])
  }

  static func put(_ record: SliceRecord) -> Effects.Record {
    .put(stream: SliceRecord.stream, key: record.key, bytes: record.encoded)
  }

  @Test func slicesAreRowsAndComeBackAsRecords() throws {
    let substrate = try Self.substrate()
    let store = try ControllerStore(path: path, substrate: substrate)
    let slices = try SliceRecord.State.allCases.enumerated().map { number, state in
      try Self.record(UInt64(number), state, on: substrate)
    }
    let other = Effects.Record.put(stream: 7, key: 1, bytes: [1, 2])
    let later = Effects.Record.put(stream: .max, key: 9, bytes: [3])
    try store.commit([later] + slices.map(Self.put) + [other])
    let expected =
      [StoredRecord(stream: 7, key: 1, bytes: [1, 2])]
      + slices.map { StoredRecord(stream: SliceRecord.stream, key: $0.key, bytes: $0.encoded) }
      + [StoredRecord(stream: .max, key: 9, bytes: [3])]
    #expect(try store.recover() == expected)
    #expect(try store.slice(planHash: slices[2].plan.hash) == slices[2])
    #expect(try store.slice(planHash: .zero) == nil)
    #expect(try store.records(stream: SliceRecord.stream, from: 1, limit: 1).map(\.key) == [1])
    #expect(try store.lastKey(stream: SliceRecord.stream) == 2)
    try store.close()

    let queue = try DatabaseQueue(path: path)
    func texts(_ sql: String) throws -> [String] { try queue.read { try String.fetchAll($0, sql: sql) } }
    func number(_ sql: String) throws -> Int? { try queue.read { try Int.fetchOne($0, sql: sql) } }
    #expect(try texts("SELECT name FROM node ORDER BY number") == ["cell", "switch", "endpoint"])
    #expect(try number("SELECT count(*) FROM link") == 2)
    #expect(try texts("SELECT kind FROM function WHERE node = 1") == ["firewall"])
    #expect(try texts("SELECT state FROM slice ORDER BY id") == ["held", "confirmed", "released"])
    // Two links in two directions and one node, for each of the two live slices.
    #expect(try number("SELECT count(*) FROM reservation") == 10)
    #expect(try texts("SELECT phase FROM sub_slice WHERE slice = 2 ORDER BY domain") == ["released", "releasing"])
    #expect(try number("SELECT amount FROM reservation WHERE slice = 0 AND resource = 'compute'") == 2)
    try queue.close()
  }

  @Test func aSliceChangesStateAndIsForgottenOnlyWhenReleased() throws {
    let substrate = try Self.substrate()
    let store = try ControllerStore(path: path, substrate: substrate)
    for state in SliceRecord.State.allCases {
      let record = try Self.record(3, state, on: substrate)
      try store.commit([Self.put(record), .prune(stream: SliceRecord.stream, below: 3)])
      #expect(try store.recover().map(\.bytes) == [record.encoded])
      try store.commit([.prune(stream: SliceRecord.stream, below: 4)])
      #expect(try store.recover().isEmpty == (state == .released))
    }
  }

  @Test func releasedSlicesAreBounded() throws {
    let substrate = try Self.substrate()
    let store = try ControllerStore(path: path, substrate: substrate, maximumReleasedSlices: 20)
    for number in 0..<(4 * SliceRows.forgettingInterval + 1) {
      try store.commit([Self.put(Self.record(number, .held, on: substrate))])
      if number != 5 { try store.commit([Self.put(Self.record(number, .released, on: substrate))]) }
    }
    let keys = try store.recover().map(\.key)
    #expect(keys.first == 5, "a live slice is never forgotten")
    #expect(keys.count == 1 + 20 + 1)
  }

  /// What a handover replaced answers for its edges as long as the activation has a slice.
  @Test func theSlicesOfAnActivationStayWhileOneLives() throws {
    let substrate = try Self.substrate()
    let store = try ControllerStore(path: path, substrate: substrate, maximumReleasedSlices: 5)
    var living = try Self.record(1, .confirmed, on: substrate)
    living.activation = try Self.record(0, on: substrate).activation
    try store.commit([Self.put(Self.record(0, .released, on: substrate)), Self.put(living)])
    for number in 2...(2 * SliceRows.forgettingInterval) {
      try store.commit([Self.put(Self.record(number, .held, on: substrate))])
      try store.commit([Self.put(Self.record(number, .released, on: substrate))])
    }
    #expect(try store.recover().map(\.key).prefix(3) == [0, 1, 2 * SliceRows.forgettingInterval - 5])
  }

  @Test func nothingOfARefusedCommitStays() throws {
    let substrate = try Self.substrate()
    let store = try ControllerStore(path: path, substrate: substrate)
    let good = try Self.record(1, on: substrate)
    let foreign = try Self.record(2, on: Self.substrate(capacity: 5_000))
    for bad in [
      Self.put(foreign), .put(stream: SliceRecord.stream, key: 2, bytes: [0xFF]),
      .put(stream: SliceRecord.stream, key: 9, bytes: good.encoded),
    ] {
      let error = #expect(throws: StorageError.self) {
        try store.commit([.put(stream: 1, key: 1, bytes: [1]), Self.put(good), bad])
      }
      guard case .unusableRecord = error else {
        Issue.record("refused for \(String(describing: error))")
        return
      }
      #expect(try store.recover() == [])
    }
  }

  @Test func theSubstrateChangesOnlyWhenNoSliceLives() throws {
    let (old, new) = (try Self.substrate(), try Self.substrate(capacity: 5_000))
    var store = try ControllerStore(path: path, substrate: old)
    try store.commit([Self.put(Self.record(1, .confirmed, on: old))])
    try store.close()
    #expect(throws: StorageError.substrateChanged(path: path, liveSlices: 1)) {
      try ControllerStore(path: path, substrate: new)
    }
    store = try ControllerStore(path: path, substrate: old)
    try store.commit([Self.put(Self.record(1, .released, on: old))])
    try store.close()
    store = try ControllerStore(path: path, substrate: new)
    #expect(try store.recover().count == 1)
    try store.commit([Self.put(Self.record(2, on: new))])
  }

  @Test func reservationsThatDoNotFitTheirPlanAreDamage() throws {
    let substrate = try Self.substrate()
    let store = try ControllerStore(path: path, substrate: substrate)
    try store.commit([Self.put(Self.record(1, on: substrate))])
    try store.close()
    let queue = try DatabaseQueue(path: path)
    try queue.write { try $0.execute(sql: "UPDATE reservation SET amount = amount - 1 WHERE resource = 'forward'") }
    try queue.close()
    let reopened = try ControllerStore(path: path, substrate: substrate)
    #expect(throws: StorageError.corrupt(path: path, detail: "slice 1 is not reserved as planned")) {
      try reopened.recover()
    }
  }

  /// Killed while slices are held, confirmed and released: every slice is whole, the journal record of the same
  /// transaction agrees with it, and the rebuilt calendar sells nothing twice.
  @Test(arguments: [5_000, 40_000, 90_000] as [UInt32])
  func aKillLeavesNoHalfSlice(delay: UInt32) async throws {
    let (path, acknowledged) = (path, directory.file("acknowledged"))
    await #expect(processExitsWith: .signal(SIGKILL)) {
      [path = path as String, acknowledged = acknowledged as String, delay = delay as UInt32] in
      let substrate = try Self.substrate()
      let store = try ControllerStore(path: path, substrate: substrate)
      let acknowledgements = Acknowledgements(path: acknowledged)
      killSelf(afterMicroseconds: delay)
      for turn in 0..<UInt64.max {
        // Slice n is held in turn n, confirmed in turn n + 1 and released in turn n + 2.
        let states: [SliceRecord.State] = [.held, .confirmed, .released]
        var records = try states.enumerated().compactMap { age, state in
          turn < UInt64(age) ? nil : Self.put(try Self.record(turn - UInt64(age), state, on: substrate))
        }
        records.append(.put(stream: 1, key: 0, bytes: turn.encoded))
        try store.commit(records)
        acknowledgements.append()
      }
    }
    let substrate = try Self.substrate()
    let records = try ControllerStore(path: path, substrate: substrate).recover()
    let slices = try records.filter { $0.stream == SliceRecord.stream }.map { try SliceRecord(decoding: $0.bytes) }
    let done = UInt64(slices.count)
    #expect(done >= Acknowledgements.count(path: acknowledged))
    for slice in slices {
      let age = done - 1 - slice.key
      #expect(
        slice == (try Self.record(slice.key, age == 0 ? .held : age == 1 ? .confirmed : .released, on: substrate)))
    }
    if done > 0 { #expect(try UInt64(decoding: records[0].bytes) == done - 1) }
    #expect(try ReservationCalendar(substrate: substrate, recovering: slices).count == min(2, Int(done)))
  }
}
