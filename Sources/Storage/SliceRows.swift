import Effects
import Foundation
import GRDB
import Messages
import Signing
import Slicing
import Wire

/// Slices and their reservations as rows, written from ``SliceRecord`` puts and read back as the same records.
struct SliceRows: Sendable {
  let path: String
  let substrate: Substrate
  let maximumReleased: Int

  /// Old released slices are looked for once in so many slices.
  static let forgettingInterval: UInt64 = 64

  // MARK: Writing

  func put(key: UInt64, bytes: [UInt8], in database: Database) throws {
    guard let record = try? SliceRecord(decoding: bytes), record.key == key else {
      throw UnusableRecord(detail: "slice \(key) does not decode")
    }
    guard Int64(exactly: key) != nil, Int64(exactly: record.confirmationExpiry) != nil else {
      throw UnusableRecord(detail: "slice \(key) has a number above 2⁶³")
    }
    let demands = try demands(of: record)
    try write(record, to: database)
    try database.cachedStatement(sql: "DELETE FROM reservation WHERE slice = ?").execute(arguments: [key])
    for demand in demands {
      let (kind, number) = columns(of: demand.resource)
      try database.cachedStatement(
        sql: "INSERT INTO reservation (slice, resource, number, amount) VALUES (?, ?, ?, ?)"
      ).execute(arguments: [key, kind, number, Int64(demand.amount)])
    }
    try database.cachedStatement(sql: "DELETE FROM sub_slice WHERE slice = ?").execute(arguments: [key])
    for part in record.subSlices {
      try database.cachedStatement(sql: "INSERT INTO sub_slice (slice, domain, phase) VALUES (?, ?, ?)")
        .execute(arguments: [key, "\(part.domain)", "\(part.phase)"])
    }
    if record.state == .held, key.isMultiple(of: Self.forgettingInterval) { try forget(in: database) }
  }

  private func write(_ record: SliceRecord, to database: Database) throws {
    let plan = record.plan
    try database.cachedStatement(
      sql: """
        INSERT INTO slice
          (id, activation, state, confirmation_expiry, throughput_up, throughput_down, window_from, window_to,
           plan_hash, plan)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET
          activation = excluded.activation, state = excluded.state,
          confirmation_expiry = excluded.confirmation_expiry, throughput_up = excluded.throughput_up,
          throughput_down = excluded.throughput_down, window_from = excluded.window_from,
          window_to = excluded.window_to, plan_hash = excluded.plan_hash, plan = excluded.plan
        """
    ).execute(arguments: [
      record.key, Data(record.activation.bytes), "\(record.state)", record.confirmationExpiry,
      Int64(clamping: plan.throughputUp), Int64(clamping: plan.throughputDown),
      Int64(clamping: plan.window.from.nanoseconds), Int64(clamping: plan.window.to.nanoseconds),
      Data(plan.hash.bytes), Data(plan.encoded),
    ])
  }

  private func demands(of record: SliceRecord) throws -> [ResourceDemand] {
    guard record.state != .released else { return [] }
    do {
      return try record.plan.demands(on: substrate)
    } catch {
      throw UnusableRecord(detail: "slice \(record.key): \(error)")
    }
  }

  private func columns(of resource: Resource) -> (kind: String, number: Int) {
    switch resource {
    case .link(let link, let direction): ("\(direction)", link.index)
    case .compute(let node): ("compute", node.index)
    }
  }

  func prune(below key: UInt64, in database: Database) throws {
    try database.cachedStatement(sql: "DELETE FROM slice WHERE state = 'released' AND id < ?")
      .execute(arguments: [Int64(clamping: key)])
  }

  /// Of an activation that still has a slice, the earlier ones stay: its edges are asked again by the same orders.
  private func forget(in database: Database) throws {
    try database.cachedStatement(
      sql: """
        DELETE FROM slice WHERE state = 'released' AND id <= (
          SELECT id FROM slice WHERE state = 'released' ORDER BY id DESC LIMIT 1 OFFSET ?)
          AND activation NOT IN (SELECT activation FROM slice WHERE state <> 'released')
        """
    ).execute(arguments: [maximumReleased])
  }

  // MARK: Reading

  /// Every slice, live and released, in order of id. Each must have exactly the reservations of its plan.
  func records(in database: Database) throws -> [StoredRecord] {
    try Row.fetchAll(database, sql: "SELECT * FROM slice ORDER BY id").map { row in
      let record = try decode(row, in: database)
      guard try reservations(of: record.key, in: database) == Set(demands(of: record)) else {
        throw StorageError.corrupt(path: path, detail: "slice \(record.key) is not reserved as planned")
      }
      return StoredRecord(stream: SliceRecord.stream, key: record.key, bytes: record.encoded)
    }
  }

  private func reservations(of key: UInt64, in database: Database) throws -> Set<ResourceDemand> {
    let statement = try database.cachedStatement(
      sql: "SELECT resource, number, amount FROM reservation WHERE slice = ?")
    return try Set(
      Row.fetchAll(statement, arguments: [key]).map { row in
        let (kind, number, amount): (String, Int, Int64) = (row[0], row[1], row[2])
        let resource: Resource =
          switch kind {
          case "forward": .link(LinkID(number), .forward)
          case "backward": .link(LinkID(number), .backward)
          default: .compute(NodeID(number))
          }
        return ResourceDemand(resource: resource, amount: UInt64(clamping: amount))
      })
  }

  private func subSlices(of key: Int64, in database: Database) throws -> [SliceRecord.SubSliceState] {
    let statement = try database.cachedStatement(sql: "SELECT domain, phase FROM sub_slice WHERE slice = ?")
    return try Row.fetchAll(statement, arguments: [key]).map { row in
      let (domain, phase): (String, String) = (row[0], row[1])
      guard let domain = ResourceDomain.allCases.first(where: { "\($0)" == domain }),
        let phase = SliceRecord.SubSliceState.Phase.allCases.first(where: { "\($0)" == phase })
      else { throw StorageError.corrupt(path: path, detail: "sub-slices of slice \(key) do not decode") }
      return SliceRecord.SubSliceState(domain: domain, phase: phase)
    }.sorted { $0.domain < $1.domain }
  }

  func record(planHash: Digest, in database: Database) throws -> SliceRecord? {
    try Row.fetchOne(
      database, sql: "SELECT * FROM slice WHERE plan_hash = ? ORDER BY id DESC", arguments: [Data(planHash.bytes)]
    ).map { try decode($0, in: database) }
  }

  private func decode(_ row: Row, in database: Database) throws -> SliceRecord {
    let key: Int64 = row["id"]
    let (activation, plan, hash): (Data, Data, Data) = (row["activation"], row["plan"], row["plan_hash"])
    let state: String = row["state"]
    guard let activation = ActivationID(activation), let plan = try? SlicePlan(decoding: [UInt8](plan)),
      plan.hash.bytes == [UInt8](hash), let state = SliceRecord.State.allCases.first(where: { "\($0)" == state }),
      let expiry = UInt64(exactly: row["confirmation_expiry"] as Int64), let number = UInt64(exactly: key)
    else { throw StorageError.corrupt(path: path, detail: "slice \(key) does not decode") }
    return SliceRecord(
      id: ReservationID(number), activation: activation, state: state, confirmationExpiry: expiry, plan: plan,
      subSlices: try subSlices(of: key, in: database))
  }
}
