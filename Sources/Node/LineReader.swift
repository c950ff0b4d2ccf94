import Dispatch
import Glibc

/// Reads lines of text from a descriptor until its end, then closes it. A line longer than ``maximumBytes`` comes in
/// pieces, so that who writes cannot make us hold more.
enum LineReader {
  static let maximumBytes = 1024

  /// - Parameter ended: called once, after the last line.
  static func start(
    on descriptor: Int32, _ take: @escaping @Sendable (String) -> Void, ended: @escaping @Sendable () -> Void = {}
  ) {
    let source = DispatchSource.makeReadSource(
      fileDescriptor: descriptor, queue: DispatchQueue(label: "ajit.enclave.log"))
    var line: [UInt8] = []
    // The handlers keep the source until it is cancelled.
    // All there is: the last lines and the end may come together, and dispatch tells of a hang-up (EPOLLHUP) once.
    source.setEventHandler {
      var bytes = [UInt8](repeating: 0, count: 4096)
      while true {
        let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        if count < 0, errno == EINTR { continue }
        if count < 0, errno == EAGAIN { return }
        guard count > 0 else { break }
        for byte in bytes[..<count] {
          if byte != UInt8(ascii: "\n") { line.append(byte) }
          if byte == UInt8(ascii: "\n") || line.count == maximumBytes { flush(&line, take) }
        }
      }
      flush(&line, take)
      source.cancel()
    }
    source.setCancelHandler {
      close(descriptor)
      ended()
    }
    source.activate()
  }

  private static func flush(_ line: inout [UInt8], _ take: (String) -> Void) {
    if !line.isEmpty { take(String(decoding: line, as: UTF8.self)) }
    line = []
  }
}
