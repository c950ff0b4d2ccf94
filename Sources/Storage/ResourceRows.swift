import Foundation
import GRDB
import Messages
import Slicing

/// The substrate as rows: what people and other programs read. Search works on the ``Substrate`` in memory; the rows
/// are rewritten when its fingerprint changes and no slice lives.
enum ResourceRows {
  static func synchronize(_ database: DurableDatabase, with substrate: Substrate) throws(StorageError) {
    let fingerprint = Data(substrate.fingerprint.bytes)
    let known = try database.read { try Data.fetchOne($0, sql: "SELECT fingerprint FROM substrate") }
    guard known != fingerprint else { return }
    let live = try database.read {
      try Int.fetchOne($0, sql: "SELECT count(*) FROM slice WHERE state <> 'released'") ?? 0
    }
    guard live == 0 else { throw .substrateChanged(path: database.path, liveSlices: live) }
    try database.write { database in
      try database.execute(sql: "DELETE FROM link; DELETE FROM function; DELETE FROM node; DELETE FROM substrate")
      for (number, node) in substrate.nodes.enumerated() { try insert(node, number, into: database) }
      for (number, link) in substrate.links.enumerated() { try insert(link, number, into: database) }
      try database.execute(sql: "INSERT INTO substrate (fingerprint) VALUES (?)", arguments: [fingerprint])
    }
  }

  private static func insert(_ node: SubstrateNode, _ number: Int, into database: Database) throws {
    try database.cachedStatement(
      sql: "INSERT INTO node (number, name, domain, attachment, compute_units) VALUES (?, ?, ?, ?, ?)"
    ).execute(arguments: [number, node.name, "\(node.domain)", "\(node.attachment)", Int64(node.computeUnits)])
    for function in node.functions {
      try database.cachedStatement(
        sql: "INSERT INTO function (node, kind, compute_units, processing_delay, cost) VALUES (?, ?, ?, ?, ?)"
      ).execute(arguments: [
        number, function.kind, Int64(function.computeUnits), function.processingDelay.nanoseconds, Int64(function.cost),
      ])
    }
  }

  private static func insert(_ link: SubstrateLink, _ number: Int, into database: Database) throws {
    try database.cachedStatement(
      sql: """
        INSERT INTO link
          (number, from_node, to_node, domain, forward_capacity, backward_capacity, delay, loss, cost)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        """
    ).execute(arguments: [
      number, link.from.index, link.to.index, "\(link.domain)", Int64(link.forwardCapacity),
      Int64(link.backwardCapacity), link.delay.nanoseconds, Int64(link.loss), Int64(link.cost),
    ])
  }
}
