import Effects
import Hosting
import Storage

/// The one SQLite file of all customers of a node, as their hosts use it. Group commit: what several of them want kept
/// while one sync is under way shares the next.
actor SharedDurableStore {
  private let executor: BlockingExecutor
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
  private let store: SharedRecordStore
  private var waiting: [(turn: SharedRecordStore.Turn, done: CheckedContinuation<Void, any Error>)] = []

  init(_ store: SharedRecordStore, label: String) {
    executor = BlockingExecutor(label: "ajit.store.\(label)")
    self.store = store
  }

  /// The streams of one role, as the store of that role.
  nonisolated func share(of owner: String) -> SharedStoreShare { SharedStoreShare(store: self, owner: owner) }

  func close() throws(StorageError) { try store.close() }

  fileprivate func commit(_ turn: SharedRecordStore.Turn) async throws {
    try await withCheckedThrowingContinuation { done in
      waiting.append((turn, done))
      // Behind everybody who is on the way here already.
      if waiting.count == 1 { Task { self.commitWaiting() } }
    }
  }

  private func commitWaiting() {
    let commits = waiting
    waiting = []
    let result = Result { () throws(StorageError) in try store.commit(commits.map(\.turn)) }
    for commit in commits { commit.done.resume(with: result.mapError { $0 as any Error }) }
  }

  fileprivate func recover(_ owner: String) throws(StorageError) -> [StoredRecord] { try store.recover(owner) }

  fileprivate func records(
    _ owner: String, _ stream: UInt16, from: UInt64, limit: Int
  ) throws(StorageError) -> [StoredRecord] {
    try store.records(owner, stream: stream, from: from, limit: limit)
  }
}

/// One role's part of a ``SharedDurableStore``.
struct SharedStoreShare: NodeStore {
  let store: SharedDurableStore
  let owner: String

  func commit(_ records: [Record]) async throws {
    try await store.commit(SharedRecordStore.Turn(owner: owner, records: records))
  }

  func records(stream: UInt16, from: UInt64, limit: Int) async throws -> [StoredRecord] {
    try await store.records(owner, stream, from: from, limit: limit)
  }

  func recover() async throws(StorageError) -> [StoredRecord] { try await store.recover(owner) }
}
