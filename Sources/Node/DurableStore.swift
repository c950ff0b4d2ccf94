import Effects
import Hosting
import Storage

/// A role's SQLite file as its host uses it: every call waits for the disk on a thread of its own kind.
actor DurableStore: NodeStore {
  private let executor: BlockingExecutor
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
  private let store: any RecordStore

  init(_ store: any RecordStore, label: String) {
    executor = BlockingExecutor(label: "ajit.store.\(label)")
    self.store = store
  }

  func commit(_ records: [Record]) throws { try store.commit(records) }

  func records(stream: UInt16, from: UInt64, limit: Int) throws -> [StoredRecord] {
    try store.records(stream: stream, from: from, limit: limit)
  }

  func recover() throws(StorageError) -> [StoredRecord] { try store.recover() }
  func close() throws(StorageError) { try store.close() }
}
