import Effects

/// Durable records of one role: the disk behind `Effect.persist`. Used by one owner, synchronously; a failed commit
/// means the node must stop, because going on would break a promise that was already made in memory.
public protocol RecordStore: AnyObject, Sendable {
  /// Applies all records in order, as one transaction: either all of them are durable when this returns, or it
  /// throws and none is.
  func commit(_ records: [Record]) throws(StorageError)

  /// Every record of the streams but the retired ones, streams ascending and keys ascending within each.
  func recover(streams: ClosedRange<UInt16>) throws(StorageError) -> [StoredRecord]

  /// At most `limit` records of one stream, retired ones too, keys ascending from `key` on.
  func records(stream: UInt16, from key: UInt64, limit: Int) throws(StorageError) -> [StoredRecord]

  /// The greatest key of a stream.
  func lastKey(stream: UInt16) throws(StorageError) -> UInt64?

  /// Gives the file up; the store cannot be used afterwards.
  func close() throws(StorageError)
}

extension RecordStore {
  /// Everything: what a role's core is rebuilt from.
  public func recover() throws(StorageError) -> [StoredRecord] { try recover(streams: 0...UInt16.max) }
}
