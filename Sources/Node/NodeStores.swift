import Assembly
import Effects
import Hosting
import Logging
import Messages
import Roles
import Slicing
import Storage
import Topology

/// A role's durable records, as its host and its start use them.
protocol NodeStore: HostStore {
  /// Everything its core is rebuilt from.
  func recover() async throws(StorageError) -> [StoredRecord]
}

/// The files that the roles of one node keep their records in: one each, but one for all customers.
struct NodeStores: Sendable {
  private let directory: NodeDirectory
  private let topology: Topology
  private let restored: [String]
  private let logger: Logger
  private var own: [DurableStore] = []
  private var customers: SharedDurableStore?

  init(_ directory: NodeDirectory, _ configuration: ConsortiumConfiguration) {
    self.directory = directory
    topology = configuration.topology
    restored = configuration.restored
    logger = configuration.logger
  }

  /// Opens what the role keeps; nil for one that keeps nothing.
  mutating func open(_ plan: ActorPlan) throws(NodeError) -> (any NodeStore)? {
    do {
      switch plan.store {
      case .none: return nil
      case .records where plan.address.role == .customer && !Files.exists(directory.store(plan.address)):
        return try shared().share(of: plan.address.name)
      case .records:
        let path = directory.store(plan.address)
        let store = try SQLiteRecordStore(path: path)
        if plan.address.role == .validator { try beginLife(of: store, path, plan.address) }
        return keep(store, plan.address)
      case .controller:
        guard let networkOperator = topology.networkOperator(named: plan.address.name) else { return nil }
        let substrate = try Slicing.Substrate(networkOperator.substrate)
        return keep(try ControllerStore(path: directory.store(plan.address), substrate: substrate), plan.address)
      }
    } catch let error as StorageError {
      throw .storage(error)
    } catch {
      throw .impossible(detail: "\(plan.address): \(error)")
    }
  }

  /// A validator whose file is not the one that it used last must not trust it with what it signed.
  private func beginLife(
    of store: SQLiteRecordStore, _ path: String, _ address: ActorAddress
  ) throws(StorageError) {
    guard try LifeMark.begin(store, path: path) || restored.contains(address.name) else { return }
    try store.commit([ValidatorCore.putBack])
    logger.warning(
      "its file was put back from a copy: it signs nothing until the others show how far it can have come",
      metadata: ["actor": "\(address)"])
  }

  private mutating func keep(_ store: any RecordStore, _ address: ActorAddress) -> DurableStore {
    let store = DurableStore(store, label: "\(address)")
    own.append(store)
    return store
  }

  /// A customer that an earlier version gave a file of its own keeps it.
  private mutating func shared() throws(StorageError) -> SharedDurableStore {
    if let customers { return customers }
    let opened = SharedDurableStore(try SharedRecordStore(path: directory.customerStore), label: "customers")
    customers = opened
    return opened
  }

  func close(_ logger: Logger) async {
    func tell(_ error: StorageError) {
      logger.warning("a store did not close", metadata: ["error": "\(error)"])
    }
    for store in own {
      do throws(StorageError) { try await store.close() } catch { tell(error) }
    }
    do throws(StorageError) { try await customers?.close() } catch { tell(error) }
  }
}
