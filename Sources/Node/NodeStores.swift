import Assembly
import Effects
import Hosting
import Logging
import Messages
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
  private var own: [DurableStore] = []
  private var customers: SharedDurableStore?

  init(_ directory: NodeDirectory, _ topology: Topology) {
    self.directory = directory
    self.topology = topology
  }

  /// Opens what the role keeps; nil for one that keeps nothing.
  mutating func open(_ plan: ActorPlan) throws(NodeError) -> (any NodeStore)? {
    do {
      switch plan.store {
      case .none: return nil
      case .records where plan.address.role == .customer && !Files.exists(directory.store(plan.address)):
        return try shared().share(of: plan.address.name)
      case .records: return keep(try SQLiteRecordStore(path: directory.store(plan.address)), plan.address)
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
