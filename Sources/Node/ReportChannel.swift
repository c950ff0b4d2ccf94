import Dispatch
import Effects
import Glibc
import Hosting
import Messages
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

  /// Calls once, when standard input ends.
  nonisolated func whenEnded(_ stop: @escaping @Sendable () -> Void) {
    let source = DispatchSource.makeReadSource(
      fileDescriptor: Self.input, queue: DispatchQueue(label: "ajit.reports.end"))
    // Nothing is ever said: whatever is readable is the end, or as good as that.
    source.setEventHandler {
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
