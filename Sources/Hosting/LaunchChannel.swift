import Glibc

/// Why launcher and enclave could not talk. One line, for people.
public struct LaunchFault: Error, Sendable, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}

/// Frames between a launcher and its enclave (see `EnclaveLaunch.swift`) on a blocking stream socket.
public enum LaunchChannel {
  public static func send(_ bytes: [UInt8], on descriptor: Int32) throws(LaunchFault) {
    var frame: [UInt8] = []
    for shift in [24, 16, 8, 0] { frame.append(UInt8(truncatingIfNeeded: bytes.count >> shift)) }
    frame += bytes
    var sent = 0
    while sent < frame.count {
      let count = frame[sent...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw LaunchFault("the other side does not take what it is told: \(systemReason(errno))") }
      sent += count
    }
  }

  public static func receive(maximum: Int, on descriptor: Int32) throws(LaunchFault) -> [UInt8] {
    let head = try receive(exactly: 4, on: descriptor)
    let length = head.reduce(0) { $0 << 8 | Int($1) }
    guard length <= maximum else { throw LaunchFault("the other side announces \(length) bytes, \(maximum) at most") }
    return try receive(exactly: length, on: descriptor)
  }

  private static func receive(exactly count: Int, on descriptor: Int32) throws(LaunchFault) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var received = 0
    while received < count {
      let more = bytes.withUnsafeMutableBytes { bytes in
        let rest = UnsafeMutableRawBufferPointer(rebasing: bytes[received...])
        return recv(descriptor, rest.baseAddress, rest.count, 0)
      }
      if more < 0, errno == EINTR { continue }
      if more < 0, errno == EAGAIN { throw LaunchFault("the other side says nothing in time") }
      guard more > 0 else { throw LaunchFault("the other side has ended") }
      received += more
    }
    return bytes
  }
}
