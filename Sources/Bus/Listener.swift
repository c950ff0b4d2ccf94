import CZeroMQ
import Glibc

/// One place where this bus can be reached: a ROUTER for requests and a PUB for publications. One pair per bound
/// endpoint, so that security is a property of the socket a message comes in on.
final class Listener {
  static let localRequests = "inproc://requests"
  static let localPublications = "inproc://publications"

  let requests: Socket
  let publications: Socket
  /// The tcp port of `publications`; 0 on other transports.
  let publicationPort: UInt16
  /// Who may be named as the sender of a request that comes in here.
  enum ClaimCheck {
    /// The same for every connection.
    case of(Claims)
    /// As the CURVE key of the connection is enrolled.
    case ofKey
  }

  let claims: ClaimCheck
  private let file: SocketFile?

  private init(
    requests: Socket, publications: Socket, publicationPort: UInt16, claims: ClaimCheck, file: SocketFile?
  ) {
    self.requests = requests
    self.publications = publications
    self.publicationPort = publicationPort
    self.claims = claims
    self.file = file
  }

  /// After this, and after the context's end, call ``removeFiles()``.
  func close() {
    requests.close()
    publications.close()
  }

  func removeFiles() { file?.release() }

  /// For the actors of this process.
  static func local(_ context: SocketContext, _ configuration: BusConfiguration) throws(BusError) -> Listener {
    let (requests, publications) = try sockets(context, configuration)
    for (socket, address) in [(requests, localRequests), (publications, localPublications)] {
      let code = socket.bind(address)
      guard code == 0 else { throw .system("\(address): \(systemReason(code))") }
    }
    return Listener(
      requests: requests, publications: publications, publicationPort: 0, claims: .of(.anybody), file: nil)
  }

  /// - Returns: the listener and the endpoint with its real port.
  static func bind(
    _ endpoint: BusEndpoint, publicationPort: UInt16, _ claims: Claims, _ context: SocketContext,
    _ configuration: BusConfiguration
  ) throws(BusError) -> (Listener, BusEndpoint) {
    guard endpoint.isLegal else { throw .illegalEndpoint(endpoint) }
    let file: SocketFile?
    switch endpoint {
    case .ipc(let path): file = try SocketFile(claiming: path)
    case .tcp:
      guard configuration.keys != nil else { throw .needsKeys(endpoint) }
      file = nil
    }
    let (requests, publications) = try sockets(context, configuration)
    do throws(BusError) {
      if let keys = configuration.keys, case .tcp = endpoint {
        for socket in [requests, publications] {
          try socket.set(ZMQ_CURVE_SERVER, 1)
          try socket.set(ZMQ_CURVE_SECRETKEY, secret: keys.secretKey)
          try socket.set(ZMQ_ZAP_DOMAIN, Array(Authenticator.domain.utf8))
        }
      } else {
        // Beside the file's mode: whom the kernel says connects (unix(7), SO_PEERCRED), whatever became of the mode.
        for socket in [requests, publications] {
          try socket.set(ZMQ_IPC_FILTER_UID, Int32(bitPattern: geteuid()))
        }
      }
      let bound = try bind(requests, endpoint)
      let publication = try bind(publications, endpoint.publications(port: publicationPort))
      file?.restrictAccess()
      let port: UInt16 = if case .tcp(_, let port) = publication { port } else { 0 }
      let listener = Listener(
        requests: requests, publications: publications, publicationPort: port,
        claims: file == nil ? .ofKey : .of(claims),
        file: file)
      return (listener, bound)
    } catch {
      requests.close()
      publications.close()
      file?.release()
      throw error
    }
  }

  private static func sockets(
    _ context: SocketContext, _ configuration: BusConfiguration
  ) throws(BusError) -> (Socket, Socket) {
    let requests = try Socket(context, .router)
    let publications = try Socket(context, .publisher)
    for socket in [requests, publications] {
      try configuration.socketOptions.apply(to: socket, maximumBodyBytes: configuration.limits.maximumBodyBytes)
    }
    return (requests, publications)
  }

  private static func bind(_ socket: Socket, _ endpoint: BusEndpoint) throws(BusError) -> BusEndpoint {
    switch socket.bind(endpoint.description) {
    case 0: break
    case EADDRINUSE: throw .addressInUse(endpoint)
    case let code: throw .cannotBind(endpoint, reason: systemReason(code))
    }
    return socket.lastEndpoint.flatMap { BusEndpoint($0) } ?? endpoint
  }
}
