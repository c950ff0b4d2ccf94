import Bus
import Effects
import Hosting
import Messages
import ServiceLifecycle
import Signing

/// What every host of one node shares.
struct HostSetting: Sendable {
  let context: VerificationContext
  let bus: Bus
  let dataPlane: DataPlane
  let observer: RoleHost.Observer
  /// Of the followers among them.
  private let publications: SharedPublications
  /// Of the readers of the ledger.
  private let desk = LedgerDesk()

  init(
    context: VerificationContext, bus: Bus, dataPlane: DataPlane, observer: @escaping RoleHost.Observer
  ) {
    self.context = context
    self.bus = bus
    self.dataPlane = dataPlane
    self.observer = observer
    publications = SharedPublications(context: context)
  }

  /// - Parameter isTold: another role of this node reads the ledger for it.
  func host(_ core: any RoleCore, store: any HostStore, isTold: Bool = false) -> RoleHost {
    RoleHost(
      core, context: context, store: store, bus: bus, dataPlane: dataPlane, publications: publications,
      desk: desk, isTold: isTold, observer: observer)
  }
}

/// One actor of the node as a service: works until graceful shutdown; a core that halts and a commit that fails stop
/// the node.
struct HostService: Service {
  let host: RoleHost
  let arrivals: [AsyncStream<[Datagram]>]

  func run() async throws {
    do {
      try await withGracefulShutdownHandler {
        try await host.run(arrivals: arrivals)
      } onGracefulShutdown: {
        Task { await host.stop() }
      }
    } catch let error as NodeError {
      throw error
    } catch {
      throw NodeError.halted(actor: host.address, detail: "\(error)")
    }
  }
}
