import Dispatch
import Glibc

/// Reads lines of text from a descriptor until its end, then closes it. A line longer than ``maximumBytes`` comes in
/// pieces, so that who writes cannot make us hold more.
enum LineReader {
  static let maximumBytes = 1024

  static func start(on descriptor: Int32, _ take: @escaping @Sendable (String) -> Void) {
    let source = DispatchSource.makeReadSource(
      fileDescriptor: descriptor, queue: DispatchQueue(label: "ajit.enclave.log"))
    var line: [UInt8] = []
    // The handlers keep the source until it is cancelled.
    source.setEventHandler {
      var bytes = [UInt8](repeating: 0, count: 4096)
      let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
      if count < 0, errno == EAGAIN || errno == EINTR { return }
      for byte in bytes.prefix(max(0, count)) {
        if byte != UInt8(ascii: "\n") { line.append(byte) }
        if byte == UInt8(ascii: "\n") || line.count == maximumBytes { flush(&line, take) }
      }
      if count <= 0 {
        flush(&line, take)
        source.cancel()
      }
    }
    source.setCancelHandler { close(descriptor) }
    source.activate()
  }

  private static func flush(_ line: inout [UInt8], _ take: (String) -> Void) {
    if !line.isEmpty { take(String(decoding: line, as: UTF8.self)) }
    line = []
  }
}
