import Effects

/// Durable records of one role, as the shell uses them. Storage's SQLite databases and the enclave's sealed file are
/// the two there are.
public protocol HostStore: Sendable {
  /// Makes all the records durable, in order, in one transaction. When it returns they survive a crash.
  /// - Throws: anything: the host stops and says so. Nothing that depends on the records has left by then.
  func commit(_ records: [Record]) async throws
  /// Records of one stream with keys from `from` on, ascending, at most `limit`.
  func records(stream: UInt16, from: UInt64, limit: Int) async throws -> [StoredRecord]
}

/// For roles that keep nothing: a commit of records is a programming error that stops the host.
public struct NoStore: HostStore {
  public init() {}

  public func commit(_ records: [Record]) async throws {
    throw HaltReason("this role has no store, and was asked to keep \(records.count) records")
  }

  public func records(stream: UInt16, from: UInt64, limit: Int) async throws -> [StoredRecord] { [] }
}
