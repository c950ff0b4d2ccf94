import Effects
import Glibc
import Messages
import Synchronization

/// The data plane of one process: all its UDP sockets, read by one thread that sleeps until something arrives. What
/// arrives on a port goes, in order, to the stream its opener got; where too much waits the newest is dropped, counted.
public final class DataPlane: Sendable {
  private struct Port {
    let socket: UDPSocket
    let queue: DatagramQueue
  }

  private struct State {
    /// In order of opening.
    var ports: [Port] = []
    var socketOf: [DataAddress: UDPSocket] = [:]
    var isClosed = false
  }

  /// Datagrams taken from one socket before the next is looked at.
  static let batchDatagrams = 256
  /// Ports of one process.
  public static let maximumPorts = 16_384

  /// The address that every port is bound on.
  public let host: UInt32
  private let state = Mutex(State())
  /// A pair of sockets whose only message is that `state` has changed.
  private let wakeRead: Int32
  private let wakeWrite: Int32
  private let dropped = Atomic<UInt64>(0)
  private let notSent = Atomic<UInt64>(0)

  /// Starts the thread. It runs until ``shutdown()``.
  /// - Parameter host: an IPv4 address of this host; peers on other hosts cannot reach the loopback interface.
  public init(host: UInt32 = DataAddress.loopback(port: 0).ipv4) throws(DataPortError) {
    self.host = host
    var ends: [Int32] = [-1, -1]
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
      throw DataPortError(description: "no wake socket for the data plane: \(systemReason(errno))")
    }
    (wakeRead, wakeWrite) = (ends[0], ends[1])
    var thread = pthread_t()
    let context = Unmanaged.passRetained(self).toOpaque()
    let failure = pthread_create(
      &thread, nil,
      { context in
        guard let context else { return nil }
        Unmanaged<DataPlane>.fromOpaque(context).takeRetainedValue().run()
        return nil
      }, context)
    guard failure == 0 else {
      Unmanaged<DataPlane>.fromOpaque(context).release()
      throw DataPortError(description: "no thread for the data plane: \(systemReason(failure))")
    }
    pthread_detach(thread)
  }

  deinit {
    close(wakeRead)
    close(wakeWrite)
  }

  /// Datagrams lost in this process: too much waited for a role, or the kernel did not take one.
  public var lost: (notTaken: UInt64, notSent: UInt64) {
    (dropped.load(ordering: .relaxed), notSent.load(ordering: .relaxed))
  }

  /// Binds a port; 0 lets the system choose.
  public func open(
    port: UInt16 = 0
  ) throws(DataPortError) -> (address: DataAddress, arrivals: AsyncStream<[Datagram]>) {
    let socket = try UDPSocket(DataAddress(ipv4: host, port: port))
    let queue = DatagramQueue()
    let refusal = state.withLock { state -> String? in
      if state.isClosed { return "the data plane is shut down" }
      if state.ports.count >= Self.maximumPorts { return "more than \(Self.maximumPorts) data ports" }
      state.ports.append(Port(socket: socket, queue: queue))
      state.socketOf[socket.address] = socket
      return nil
    }
    if let refusal { throw DataPortError(description: refusal) }
    wake()
    return (socket.address, queue.stream)
  }

  /// Sends each datagram from its source port, which must be open here. Never waits: what the kernel does not take at
  /// once is lost and counted, as on a wire.
  public func send(_ datagrams: [Datagram]) {
    var source: (address: DataAddress, socket: UDPSocket?)?
    for datagram in datagrams {
      if source?.address != datagram.source {
        source = (datagram.source, state.withLock { $0.socketOf[datagram.source] })
      }
      if source?.socket?.send(datagram.bytes, to: datagram.destination) != true {
        notSent.add(1, ordering: .relaxed)
      }
    }
  }

  /// Closes all ports; their streams end.
  public func shutdown() {
    state.withLock { $0.isClosed = true }
    wake()
  }

  private func wake() {
    // A full socket already says it.
    let byte: [UInt8] = [1]
    _ = Glibc.send(wakeWrite, byte, 1, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
  }

  // MARK: The thread

  private func run() {
    var buffer = ReceiveBuffer()
    var ports: [Port] = []
    var polls = [pollfd(fd: wakeRead, events: Int16(POLLIN), revents: 0)]
    var isClosed = false
    while !isClosed {
      guard poll(&polls, nfds_t(polls.count), -1) > 0 else { continue }
      for (port, result) in zip(ports, polls.dropFirst()) where result.revents != 0 { read(port, &buffer) }
      guard polls[0].revents != 0 else { continue }
      var bytes = [UInt8](repeating: 0, count: 64)
      while Glibc.read(wakeRead, &bytes, bytes.count) == bytes.count {}
      (ports, isClosed) = state.withLock { ($0.ports, $0.isClosed) }
      polls.removeSubrange(1...)
      polls += ports.map { pollfd(fd: $0.socket.descriptor, events: Int16(POLLIN), revents: 0) }
    }
    state.withLock { state in
      state.ports = []
      state.socketOf = [:]
    }
    for port in ports { port.queue.finish() }
  }

  private func read(_ port: Port, _ buffer: inout ReceiveBuffer) {
    var datagrams: [Datagram] = []
    port.socket.receive(limit: Self.batchDatagrams, into: &datagrams, using: &buffer)
    guard !datagrams.isEmpty else { return }
    let lost = port.queue.add(datagrams)
    if lost > 0 { dropped.add(UInt64(lost), ordering: .relaxed) }
  }
}
