import Effects
import Glibc
import Messages

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

  /// - Parameter wanted: where to bind; port 0 lets the system choose.
  init(_ wanted: DataAddress) throws(DataPortError) {
    let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw DataPortError(description: "no UDP socket: \(systemReason(errno))") }
    self.descriptor = descriptor
    for (option, value) in [(SO_RCVBUF, Self.bufferBytes), (SO_SNDBUF, Self.bufferBytes), (SO_TIMESTAMPNS, 1)] {
      // Best effort: the kernel caps the buffers, and without its timestamps a datagram is stamped when it is read.
      var value = value
      _ = setsockopt(descriptor, SOL_SOCKET, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }
    var local = wanted.socketAddress
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &local) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        bind(descriptor, address, length) == 0 && getsockname(descriptor, address, &length) == 0
      }
    }
    guard isBound else {
      let reason = systemReason(errno)
      close(descriptor)
      throw DataPortError(
        description: "UDP \(wanted) cannot be bound: \(reason): free it or choose another")
    }
    address = DataAddress(local)
  }

  deinit { close(descriptor) }

  /// - Returns: false when the kernel did not take the datagram.
  func send(_ bytes: [UInt8], to destination: DataAddress) -> Bool {
    var remote = destination.socketAddress
    return withUnsafeMutablePointer(to: &remote) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        sendto(
          descriptor, bytes, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL), address,
          socklen_t(MemoryLayout<sockaddr_in>.size)) == bytes.count
      }
    }
  }

  /// Takes what has arrived, at most `limit` datagrams. Each carries the kernel's time of arrival (socket(7),
  /// `SO_TIMESTAMPNS`): how late this thread got to run is no part of a packet's delay.
  func receive(limit: Int, into datagrams: inout [Datagram], using buffer: inout ReceiveBuffer) {
    for _ in 0..<limit {
      guard let (count, from, arrival) = buffer.receive(on: descriptor) else { return }
      guard count <= Datagram.maximumBytes else { continue }
      datagrams.append(
        Datagram(from: from, to: address, at: arrival ?? WallClock.now(), bytes: Array(buffer.bytes[..<count])))
    }
  }
}

/// Room for one datagram and what the kernel says about it.
struct ReceiveBuffer {
  /// One byte more than a datagram may have: a longer one is recognised and dropped.
  fileprivate var bytes = [UInt8](repeating: 0, count: Datagram.maximumBytes + 1)
  /// One control message: a `cmsghdr` (two words on 64-bit Linux) and its `timespec`.
  private var control = [UInt64](repeating: 0, count: 8)

  /// - Returns: nil when nothing waits.
  fileprivate mutating func receive(on descriptor: Int32) -> (count: Int, from: DataAddress, arrival: Instant?)? {
    var remote = sockaddr_in()
    let (count, controlBytes) = bytes.withUnsafeMutableBytes { bytes in
      control.withUnsafeMutableBytes { control in
        withUnsafeMutablePointer(to: &remote) { remote in
          var vector = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
          return withUnsafeMutablePointer(to: &vector) { vector in
            var message = msghdr()
            message.msg_name = UnsafeMutableRawPointer(remote)
            message.msg_namelen = socklen_t(MemoryLayout<sockaddr_in>.size)
            message.msg_iov = vector
            message.msg_iovlen = 1
            message.msg_control = control.baseAddress
            message.msg_controllen = control.count
            let count = recvmsg(descriptor, &message, Int32(MSG_DONTWAIT))
            return (count, Int(message.msg_controllen))
          }
        }
      }
    }
    guard count >= 0 else { return nil }
    return (count, DataAddress(remote), arrival(controlBytes))
  }

  private func arrival(_ controlBytes: Int) -> Instant? {
    control.withUnsafeBytes { control in
      let header = MemoryLayout<cmsghdr>.size
      guard controlBytes >= header + MemoryLayout<timespec>.size else { return nil }
      let message = control.loadUnaligned(as: cmsghdr.self)
      guard message.cmsg_level == SOL_SOCKET, message.cmsg_type == SO_TIMESTAMPNS else { return nil }
      let time = control.loadUnaligned(fromByteOffset: header, as: timespec.self)
      guard time.tv_sec >= 0, time.tv_nsec >= 0 else { return nil }
      return Instant(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }
  }
}

extension DataAddress {
  fileprivate var socketAddress: sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = ipv4.bigEndian
    return address
  }

  fileprivate init(_ address: sockaddr_in) {
    self.init(ipv4: UInt32(bigEndian: address.sin_addr.s_addr), port: UInt16(bigEndian: address.sin_port))
  }
}

func systemReason(_ code: Int32) -> String { String(cString: strerror(code)) }
