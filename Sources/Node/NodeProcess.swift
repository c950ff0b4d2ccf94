import Glibc
import Hosting
import Messages
import Synchronization
import Wire

/// A node as a process of its own, started by ``SpreadConsortium``. It ends when ``end()`` closes its input, or with
/// this process.
final class NodeProcess: Sendable {
  let name: String
  private let process: ChildProcess
  private let log: RecentLines
  var processID: pid_t { process.processID }

  /// How long a node may take to stop.
  static let stopSeconds = 20

  /// - Parameters:
  ///   - report: takes what it reports, in order.
  ///   - line: takes what it logs.
  init(
    _ name: String, _ command: ChildProcess.Command, line: @escaping @Sendable (String) -> Void,
    report: @escaping @Sendable (NodeReport) -> Void
  ) throws(NodeError) {
    let log = RecentLines()
    do throws(NodeError) {
      process = try ChildProcess(command, label: "node.\(name)") { text in
        log.add(text)
        line(text)
      }
    } catch {
      throw .nodeDidNotStart(name: name, detail: "\(error)")
    }
    self.name = name
    self.log = log
    let frames = Mutex(FrameBuffer(maximumBytes: NodeReport.maximumBytes))
    process.watch { piece in
      for frame in frames.withLock({ $0.take(piece) }) {
        // Who reports nonsense only shows nothing.
        if let decoded = try? NodeReport(decoding: frame) { report(decoded) }
      }
    }
  }

  /// Why it is gone, once it is.
  func untilExited() async -> NodeError {
    let status = await process.untilExited()
    return .nodeStopped(name: name, status: "\(ExitStatus(status))", lines: log.lines)
  }

  /// Who is gone obeys nothing.
  func tell(_ order: NodeOrder) { try? LaunchChannel.send(order.encoded, on: process.channel) }

  /// At once, as nobody expects it.
  func kill() { process.kill() }
  func pause() { process.signal(SIGSTOP) }
  func resume() { process.signal(SIGCONT) }

  func end() async { await process.end(withinSeconds: Self.stopSeconds) }
}

/// The last lines that a process said.
private final class RecentLines: Sendable {
  static let maximum = 5
  private let kept = Mutex<[String]>([])

  func add(_ line: String) {
    kept.withLock { lines in
      lines.append(line)
      if lines.count > Self.maximum { lines.removeFirst() }
    }
  }

  var lines: [String] { kept.withLock { $0 } }
}
