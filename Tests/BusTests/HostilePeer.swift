import CZeroMQ
import Foundation
import Messages
import Synchronization

@testable import Bus

/// A raw libzmq DEALER with any keys, that says what it likes as fast as it can. Made, used and ended on one thread.
final class HostilePeer {
  private let context: SocketContext
  private let socket: Socket

  init(_ endpoint: BusEndpoint, _ keys: CurveKeyPair, serverKey: CurvePublicKey) throws {
    context = try SocketContext()
    socket = try Socket(context, .dealer)
    try SocketOptions().apply(to: socket, maximumBodyBytes: 1 << 26)
    try socket.set(ZMQ_CURVE_SERVERKEY, serverKey.bytes)
    try socket.set(ZMQ_CURVE_PUBLICKEY, keys.publicKey.bytes)
    try socket.set(ZMQ_CURVE_SECRETKEY, secret: keys.secretKey)
    _ = socket.connect(endpoint.description)
  }

  /// - Returns: false when the connection takes nothing now.
  func say(_ header: [UInt8], _ body: [UInt8]) -> Bool {
    // What comes back is thrown away, so that nobody waits for us.
    while socket.receive(maximumFrames: 4, maximumFrameBytes: 1 << 26) != nil {}
    return socket.send(header, body: body) == .accepted
  }

  func end() {
    socket.close()
    context.terminate()
  }

  /// Does something over and over on a thread of its own until told to stop.
  /// - Returns: how often `body` said that it got something out.
  static func flood(
    until stop: Stop, _ endpoint: BusEndpoint, _ keys: CurveKeyPair, serverKey: CurvePublicKey,
    _ body: @escaping @Sendable (HostilePeer, _ round: Int) -> Bool
  ) async -> Int {
    await withCheckedContinuation { continuation in
      Thread.detachNewThread {
        var sent = 0
        if let peer = try? HostilePeer(endpoint, keys, serverKey: serverKey) {
          var round = 0
          while !stop.isSet {
            if body(peer, round) { sent += 1 } else { sched_yield() }
            round += 1
          }
          peer.end()
        }
        continuation.resume(returning: sent)
      }
    }
  }
}

/// Told once, seen by all.
final class Stop: Sendable {
  private let flag = Atomic<Bool>(false)
  var isSet: Bool { flag.load(ordering: .relaxed) }
  func set() { flag.store(true, ordering: .relaxed) }
}

/// Plain TCP, for what no libzmq would say. Calls block: for threads of their own.
enum PlainTCP {
  /// - Returns: a connected descriptor; nil when nobody listens.
  static func connect(_ port: UInt16) -> Int32? {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let isConnected = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
    if isConnected { return descriptor }
    close(descriptor)
    return nil
  }

  static func send(_ bytes: [UInt8], on descriptor: Int32) -> Bool {
    var sent = 0
    while sent < bytes.count {
      let count = unsafe bytes[sent...].withUnsafeBytes {
        unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return false }
      sent += count
    }
    return true
  }

  /// - Returns: nil at the end.
  static func receive(on descriptor: Int32) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let count = unsafe recv(descriptor, &bytes, bytes.count, 0)
    return count > 0 ? Array(bytes[..<count]) : nil
  }
}

/// Passes one TCP connection on, and keeps what its client said.
final class Eavesdropper: Sendable {
  let port: UInt16
  private let listener: Int32
  private let recorded = Mutex<[UInt8]>([])
  private let connections = Mutex<[Int32]>([])

  var bytes: [UInt8] { recorded.withLock { $0 } }

  init?(to server: UInt16) {
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let (listener, size) = (listener, length)
    let isBound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe bind(listener, $0, size) == 0 && listen(listener, 4) == 0 && getsockname(listener, $0, &length) == 0
      }
    }
    guard isBound else { return nil }
    port = UInt16(bigEndian: address.sin_port)
    Thread.detachNewThread { [self] in
      let client = accept(listener, nil, nil)
      guard client >= 0, let ours = PlainTCP.connect(server) else { return }
      connections.withLock { $0 = [client, ours] }
      Thread.detachNewThread {
        while let bytes = PlainTCP.receive(on: ours), PlainTCP.send(bytes, on: client) {}
      }
      while let bytes = PlainTCP.receive(on: client) {
        self.recorded.withLock { $0 += bytes }
        guard PlainTCP.send(bytes, on: ours) else { return }
      }
    }
  }

  func end() {
    close(listener)
    for descriptor in connections.withLock({ $0 }) { shutdown(descriptor, Int32(SHUT_RDWR)) }
  }
}
