import Assembly
import Bus
import Hosting
import Messages
import Topology

/// A bus that only asks, with the key of a client bundle.
enum BusClient {
  static func connect(_ bundle: KeyBundle) async throws(NodeError) -> Bus {
    let keys = try bundle.keyring.curveKey("curve")
    do throws(BusError) {
      let bus = try Bus(configuration: BusConfiguration(keys: keys))
      do throws(BusError) {
        for place in bundle.book.places where place.isServed {
          for actor in place.addresses { try await bus.route(actor, to: place.endpoint, serverKey: place.key) }
        }
        return bus
      } catch {
        await bus.shutdown()
        throw error
      }
    } catch {
      throw .bus(error)
    }
  }
}

extension KeyBundle {
  /// The network that the bundle is of.
  func deployment() throws(NodeError) -> Deployment {
    guard let keys = KeyDirectory(topology, genesis) else {
      throw .damaged(path: "\(path)/genesis.cbor", detail: "it is not this topology's")
    }
    return Deployment(topology: topology, genesis: genesis, keys: keys, measurement: measurement)
  }
}
