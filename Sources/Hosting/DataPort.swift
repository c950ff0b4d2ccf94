import Effects
import Glibc
import Messages
import Synchronization

/// Why a data port could not be opened. Says what the user must do.
public struct DataPortError: Error, Sendable, CustomStringConvertible {
  public let description: String
}

/// One UDP socket of the data plane, bound for as long as it lives.
final class UDPSocket: Sendable {
  let descriptor: Int32
  let address: DataAddress

  /// Bytes the kernel may hold for us before it drops: a burst of a stalled moment must fit.
  static let bufferBytes: Int32 = 4 << 20

  /// - Parameter port: 0 lets the system choose.
  init(port: UInt16) throws(DataPortError) {
    descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw DataPortError(description: "no UDP socket: \(String(cString: strerror(errno)))") }
    var size = Self.bufferBytes
    setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    var local = DataAddress.loopback(port: port).socketAddress
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let descriptor = descriptor
    let bound = withUnsafeMutablePointer(to: &local) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        bind(descriptor, address, length) == 0 && getsockname(descriptor, address, &length) == 0
      }
    }
    guard bound else {
      let reason = String(cString: strerror(errno))
      close(descriptor)
      throw DataPortError(
        description: "UDP port \(port) of 127.0.0.1 cannot be bound: \(reason). Free it or choose another.")
    }
    address = .loopback(port: UInt16(bigEndian: local.sin_port))
  }

  deinit { close(descriptor) }

  /// - Returns: false when the kernel did not take the datagram.
  func send(_ bytes: [UInt8], to destination: DataAddress) -> Bool {
    var remote = destination.socketAddress
    return withUnsafeMutablePointer(to: &remote) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        sendto(descriptor, bytes, bytes.count, Int32(MSG_DONTWAIT.rawValue), address, socklen_t(MemoryLayout<sockaddr_in>.size)) == bytes.count
      }
    }
  }

  /// Takes what has arrived, at most `limit` datagrams.
  func receive(limit: Int, into datagrams: inout [Datagram], buffer: inout [UInt8]) {
    for _ in 0..<limit {
      var remote = sockaddr_in()
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      let count = withUnsafeMutablePointer(to: &remote) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
          recvfrom(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT.rawValue), address, &length)
        }
      }
      guard count >= 0 else { return }
      datagrams.append(
        Datagram(from: DataAddress(remote), to: address, at: WallClock.now(), bytes: Array(buffer[..<count])))
    }
  }
}

extension DataAddress {
  var socketAddress: sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = ipv4.bigEndian
    return address
  }

  init(_ address: sockaddr_in) {
    self.init(ipv4: UInt32(bigEndian: address.sin_addr.s_addr), port: UInt16(bigEndian: address.sin_port))
  }
}

/// The data plane of one process: all its UDP sockets, read by one thread. What arrives on a port goes, in order, to
/// the stream its opener got; a stream that is full drops the newest, counted.
public final class DataPlane: Sendable {
  private struct Opened {
    let socket: UDPSocket
    let continuation: AsyncStream<[Datagram]>.Continuation
  }

  private struct State {
    var ports: [DataAddress: Opened] = [:]
    var isClosed = false
  }

  /// Batches that wait for a role at most.
  static let bufferedBatches = 1024
  /// Datagrams taken from one socket before the next is looked at.
  static let batchDatagrams = 256

  private let state = Mutex(State())
  private let wake: Int32
  private let dropped = Atomic<UInt64>(0)
  private let refusedByKernel = Atomic<UInt64>(0)

  public init() throws(DataPortError) {
    wake = eventfd(0, Int32(EFD_NONBLOCK.rawValue) | Int32(EFD_CLOEXEC.rawValue))
    guard wake >= 0 else { throw DataPortError(description: "no eventfd: \(String(cString: strerror(errno)))") }
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
      close(wake)
      throw DataPortError(description: "no thread for the data plane: \(String(cString: strerror(failure)))")
    }
    pthread_detach(thread)
  }

  /// Datagrams lost here: a role's stream was full, or the kernel did not take one.
  public var lost: (streamFull: UInt64, notSent: UInt64) {
    (dropped.load(ordering: .relaxed), refusedByKernel.load(ordering: .relaxed))
  }

  /// Binds a port on the loopback interface; 0 lets the system choose.
  public func open(port: UInt16 = 0) throws(DataPortError) -> (address: DataAddress, arrivals: AsyncStream<[Datagram]>) {
    let socket = try UDPSocket(port: port)
    let (stream, continuation) = AsyncStream.makeStream(
      of: [Datagram].self, bufferingPolicy: .bufferingOldest(Self.bufferedBatches))
    state.withLock { $0.ports[socket.address] = Opened(socket: socket, continuation: continuation) }
    signal()
    return (socket.address, stream)
  }

  public func send(_ datagrams: [Datagram]) {
    for datagram in datagrams {
      let socket = state.withLock { $0.ports[datagram.source]?.socket }
      guard let socket, socket.send(datagram.bytes, to: datagram.destination) else {
        refusedByKernel.add(1, ordering: .relaxed)
        continue
      }
    }
  }

  /// Closes all ports; their streams end.
  public func shutdown() {
    state.withLock { $0.isClosed = true }
    signal()
  }

  private func signal() {
    var one: UInt64 = 1
    _ = write(wake, &one, 8)
  }

  private func run() {
    var buffer = [UInt8](repeating: 0, count: Datagram.maximumBytes)
    while true {
      let (ports, isClosed) = state.withLock { ($0.ports.values.map { $0 }, $0.isClosed) }
      if isClosed { break }
      var polls = ports.map { pollfd(fd: $0.socket.descriptor, events: Int16(POLLIN), revents: 0) }
      polls.append(pollfd(fd: wake, events: Int16(POLLIN), revents: 0))
      guard poll(&polls, nfds_t(polls.count), -1) > 0 else { continue }
      for (port, result) in zip(ports, polls) where result.revents != 0 {
        var datagrams: [Datagram] = []
        port.socket.receive(limit: Self.batchDatagrams, into: &datagrams, buffer: &buffer)
        guard !datagrams.isEmpty else { continue }
        if case .dropped(let lost) = port.continuation.yield(datagrams) {
          dropped.add(UInt64(lost.count), ordering: .relaxed)
        }
      }
      if polls[polls.count - 1].revents != 0 {
        var value: UInt64 = 0
        _ = read(wake, &value, 8)
      }
    }
    let ports = state.withLock { state in
      defer { state.ports = [:] }
      return state.ports.values.map { $0 }
    }
    for port in ports { port.continuation.finish() }
    close(wake)
  }
}
