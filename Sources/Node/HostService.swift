import Bus
import Effects
import Hosting
import Messages
import ServiceLifecycle
import Signing

/// What every host of one node shares.
struct HostSetting: Sendable {
  var context: VerificationContext
  var bus: Bus
  var dataPlane: DataPlane
  var observer: RoleHost.Observer

  func host(_ core: any RoleCore, store: any HostStore) -> RoleHost {
    RoleHost(core, context: context, store: store, bus: bus, dataPlane: dataPlane, observer: observer)
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
