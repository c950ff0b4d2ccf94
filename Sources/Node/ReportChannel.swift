import Dispatch
import Effects
import Glibc
import Hosting
import Messages
import Synchronization
import Wire

/// The link of a node to the process that started it (``NodeProcess``): reports go out on standard output; the end of
/// standard input is the order to stop, so that no node outlives who started it.
actor ReportChannel {
  private static let descriptor: Int32 = 1
  private static let input: Int32 = 0

  private let executor = BlockingExecutor(label: "ajit.reports")
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
  private var isBroken = false

  /// Waits while the other side is slow; what it does not want any more is thrown away.
  func send(_ report: NodeReport) {
    guard !isBroken else { return }
    do throws(LaunchFault) { try LaunchChannel.send(report.encoded, on: Self.descriptor) } catch { isBroken = true }
  }

  /// Hands on what is ordered, in order; then calls once, when standard input ends.
  nonisolated func listen(
    _ obey: @escaping @Sendable (NodeOrder) -> Void, whenEnded stop: @escaping @Sendable () -> Void
  ) {
    let source = DispatchSource.makeReadSource(
      fileDescriptor: Self.input, queue: DispatchQueue(label: "ajit.reports.end"))
    let frames = Mutex(FrameBuffer(maximumBytes: NodeOrder.maximumBytes))
    source.setEventHandler {
      var bytes = [UInt8](repeating: 0, count: 1 << 16)
      while true {
        let count = recv(Self.input, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        if count < 0, errno == EINTR { continue }
        if count < 0, errno == EAGAIN { return }
        guard count > 0 else { break }
        for frame in frames.withLock({ $0.take(Array(bytes[..<count])) }) {
          // Who starts nodes speaks their language; anything else is nothing.
          if let order = try? NodeOrder(decoding: frame) { obey(order) }
        }
      }
      source.cancel()
      stop()
    }
    source.activate()
  }
}

/// Puts frames (Hosting.LaunchChannel) together again.
struct FrameBuffer {
  private var bytes: [UInt8] = []
  private let maximumBytes: Int
  /// After a frame that is too long nothing can be read any more.
  private(set) var isBroken = false

  init(maximumBytes: Int) { self.maximumBytes = maximumBytes }

  /// - Returns: the frames that are whole now.
  mutating func take(_ piece: [UInt8]) -> [[UInt8]] {
    guard !isBroken else { return [] }
    bytes += piece
    var frames: [[UInt8]] = []
    var read = 0
    while bytes.count - read >= 4 {
      let length = bytes[read..<read + 4].reduce(0) { $0 << 8 | Int($1) }
      guard length <= maximumBytes else {
        isBroken = true
        break
      }
      guard bytes.count - read - 4 >= length else { break }
      frames.append(Array(bytes[read + 4..<read + 4 + length]))
      read += 4 + length
    }
    bytes.removeFirst(read)
    return frames
  }
}
