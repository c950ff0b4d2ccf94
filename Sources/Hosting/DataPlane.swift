import Bus
import Dispatch
import Effects
import Glibc
import Messages
import Synchronization

/// The data plane of one process: all its UDP sockets, read on one queue as something arrives. What arrives on a port
/// goes, in order, to the stream its opener got; where too much waits the newest is dropped, counted.
///
/// Every enclave and edge has ports of its own, thousands in one process. Dispatch waits for them with epoll(7), which
/// costs by what arrives and not by how many ports there are, as poll(2) would.
public final class DataPlane: Sendable {
  private final class Port: @unchecked Sendable {
    // Proof: both are written in init only, a socket is Sendable, and a source may be cancelled from any thread.
    let socket: UDPSocket
    let source: any DispatchSourceRead

    init(_ socket: UDPSocket, _ source: any DispatchSourceRead) {
      self.socket = socket
      self.source = source
    }
  }

  private struct State {
    var ports: [DataAddress: Port] = [:]
    var isClosed = false
  }

  /// Datagrams taken from one socket before the next is looked at.
  static let batchDatagrams = 256
  /// Ports of one process.
  public static let maximumPorts = 16_384

  /// The address that every port is bound on.
  public let host: UInt32
  private let state = Mutex(State())
  private let queue = DispatchQueue(label: "ajit.data-plane", qos: .userInteractive)
  /// Used on the queue.
  private let buffer = Mutex(ReceiveBuffer())
  private let dropped = Atomic<UInt64>(0)
  private let notSent = Atomic<UInt64>(0)
  private let carried = Mutex(CarriedTraffic.Flow())

  /// - Parameter host: an IPv4 address of this host; peers on other hosts cannot reach the loopback interface.
  public init(host: UInt32 = DataAddress.loopback(port: 0).ipv4) { self.host = host }

  /// Datagrams lost in this process: too much waited for a role, or the kernel did not take one.
  public var lost: (notTaken: UInt64, notSent: UInt64) {
    (dropped.load(ordering: .relaxed), notSent.load(ordering: .relaxed))
  }

  /// Datagrams that the kernel took and gave.
  public var traffic: CarriedTraffic.Flow { carried.withLock { $0 } }

  /// Binds a port; 0 lets the system choose.
  public func open(
    port: UInt16 = 0
  ) throws(DataPortError) -> (address: DataAddress, arrivals: AsyncStream<[Datagram]>) {
    let socket = try UDPSocket(DataAddress(ipv4: host, port: port))
    let arrivals = DatagramQueue()
    let source = DispatchSource.makeReadSource(fileDescriptor: socket.descriptor, queue: queue)
    // The handlers keep the socket until the source is cancelled: a descriptor must not be closed before (libdispatch).
    source.setEventHandler { [weak self] in self?.read(socket, arrivals) }
    source.setCancelHandler {
      withExtendedLifetime(socket) {}
      arrivals.finish()
    }
    let opened = Port(socket, source)
    let refusal = state.withLock { state -> String? in
      if state.isClosed { return "the data plane is shut down" }
      if state.ports.count >= Self.maximumPorts { return "more than \(Self.maximumPorts) data ports" }
      state.ports[socket.address] = opened
      return nil
    }
    opened.source.activate()
    if let refusal {
      opened.source.cancel()
      throw DataPortError(description: refusal)
    }
    return (socket.address, arrivals.stream)
  }

  /// Sends each datagram from its source port, which must be open here. Never waits: what the kernel does not take at
  /// once is lost and counted, as on a wire.
  public func send(_ datagrams: [Datagram]) {
    var source: (address: DataAddress, socket: UDPSocket?)?
    var sent = CarriedTraffic.Volume()
    for datagram in datagrams {
      if source?.address != datagram.source {
        source = (datagram.source, state.withLock { $0.ports[datagram.source]?.socket })
      }
      if source?.socket?.send(datagram.bytes, to: datagram.destination) == true {
        sent.add(bytes: datagram.bytes.count)
      } else {
        notSent.add(1, ordering: .relaxed)
      }
    }
    carried.withLock { $0.sent.add(sent) }
  }

  /// Closes all ports; their streams end.
  public func shutdown() {
    let ports = state.withLock { state in
      state.isClosed = true
      defer { state.ports = [:] }
      return Array(state.ports.values)
    }
    for port in ports { port.source.cancel() }
  }

  deinit { shutdown() }

  private func read(_ socket: UDPSocket, _ arrivals: DatagramQueue) {
    let datagrams = buffer.withLock { buffer in
      var datagrams: [Datagram] = []
      socket.receive(limit: Self.batchDatagrams, into: &datagrams, using: &buffer)
      return datagrams
    }
    guard !datagrams.isEmpty else { return }
    let received = CarriedTraffic.Volume(
      messages: UInt64(datagrams.count), bytes: datagrams.reduce(0) { $0 + UInt64($1.bytes.count) })
    carried.withLock { $0.received.add(received) }
    let lost = arrivals.add(datagrams)
    if lost > 0 { dropped.add(UInt64(lost), ordering: .relaxed) }
  }
}
