import CZeroMQ
import Messages

/// One other bus, or this one over `inproc://`: a DEALER for our requests and a SUB for its publications. One SUB per
/// peer, because only the socket tells whose server key a publication came under.
final class Peer {
  struct Queued {
    let id: UInt64
    let request: OutgoingRequest
  }

  let requests: Socket
  let publications: Socket
  let endpoint: BusEndpoint?
  /// Requests that found no completed connection, or a full one.
  var queue = FirstInFirstOut<Queued>()
  private var connectedPublications: String?

  private init(requests: Socket, publications: Socket, endpoint: BusEndpoint?) {
    self.requests = requests
    self.publications = publications
    self.endpoint = endpoint
  }

  func close() {
    requests.close()
    publications.close()
  }

  static func local(_ context: SocketContext, _ configuration: BusConfiguration) throws(BusError) -> Peer {
    let peer = try unconnected(context, configuration, endpoint: nil)
    for (socket, address) in [
      (peer.requests, Listener.localRequests), (peer.publications, Listener.localPublications),
    ] {
      let code = socket.connect(address)
      guard code == 0 else { throw .system("\(address): \(systemReason(code))") }
    }
    return peer
  }

  static func connect(
    _ route: PeerRoute, _ context: SocketContext, _ configuration: BusConfiguration
  ) throws(BusError) -> Peer {
    guard route.endpoint.isLegal else { throw .illegalEndpoint(route.endpoint) }
    let peer = try unconnected(context, configuration, endpoint: route.endpoint)
    do throws(BusError) {
      if case .tcp = route.endpoint {
        guard let keys = configuration.keys, let serverKey = route.serverKey else { throw .needsKeys(route.endpoint) }
        for socket in [peer.requests, peer.publications] {
          try socket.set(ZMQ_CURVE_SERVERKEY, serverKey.bytes)
          try socket.set(ZMQ_CURVE_PUBLICKEY, keys.publicKey.bytes)
          try socket.set(ZMQ_CURVE_SECRETKEY, secret: keys.secretKey)
        }
      }
      let code = peer.requests.connect(route.endpoint.description)
      guard code == 0 else { throw .cannotConnect(route.endpoint, reason: systemReason(code)) }
      return peer
    } catch {
      peer.close()
      throw error
    }
  }

  private static func unconnected(
    _ context: SocketContext, _ configuration: BusConfiguration, endpoint: BusEndpoint?
  ) throws(BusError) -> Peer {
    let peer = Peer(
      requests: try Socket(context, .dealer), publications: try Socket(context, .subscriber), endpoint: endpoint)
    for socket in [peer.requests, peer.publications] {
      try configuration.socketOptions.apply(to: socket, maximumBodyBytes: configuration.limits.maximumBodyBytes)
    }
    return peer
  }

  /// Follows the peer's PUB socket, also to a new port after a restart.
  func listenToPublications(port: UInt16) {
    guard let address = endpoint?.publications(port: port).description, address != connectedPublications else { return }
    if let connectedPublications { publications.disconnect(connectedPublications) }
    connectedPublications = publications.connect(address) == 0 ? address : nil
  }

  func subscribe(_ key: PublicationKey) { try? publications.set(ZMQ_SUBSCRIBE, key.frame) }
  func unsubscribe(_ key: PublicationKey) { try? publications.set(ZMQ_UNSUBSCRIBE, key.frame) }
}
