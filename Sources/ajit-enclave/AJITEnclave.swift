import Bus
import Dispatch
import Effects
import Enclave
import Glibc
import Hosting
import Messages
import Signing

/// Customers' enclaves in a process of their own: the cores that count and sign, their sealed state, two UDP ports each
/// and one place on the bus. Nothing else is in here, because whoever relies on their receipts relies on all of it.
///
/// Its standard input and output are one socket to the launcher (see `EnclaveLaunch`); it lives as long as the launcher
/// keeps its end open. Its log is standard error.
@main
struct AJITEnclave {
  private static let input: Int32 = 0

  private enum ExitCode {
    static let misused: Int32 = 64
    static let failed: Int32 = 70
  }

  static func main() async {
    nameProcess()
    // A launcher that is gone is told nothing more; that must not be what ends us in the middle of a turn.
    signal(SIGPIPE, SIG_IGN)
    let launch: EnclaveLaunch
    do {
      launch = try EnclaveLaunch(decoding: LaunchChannel.receive(maximum: EnclaveLaunch.maximumBytes, on: input))
    } catch {
      log("ajit-enclave is started by a node, not by hand (\(error))")
      exit(ExitCode.misused)
    }
    OpenFileLimit.raise()
    let stop = StopNotice(input: input)
    do {
      let enclaves = try await RunningEnclaves(launch, log: log)
      try LaunchChannel.send(enclaves.report.encoded, on: input)
      try await enclaves.run(until: stop)
    } catch {
      log("enclaves of \(launch.process): \(error)")
      // The launcher may be gone: then nobody needs to know.
      try? LaunchChannel.send(EnclaveReport.failed("\(error)").encoded, on: input)
      exit(ExitCode.failed)
    }
  }

  /// The launcher starts the file by its descriptor, and the kernel would name the process after that.
  private static func nameProcess() {
    let descriptor = open("/proc/self/comm", O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    let name = Array("ajit-enclave".utf8)
    _ = write(descriptor, name, name.count)
    close(descriptor)
  }

  private static func log(_ line: String) {
    let bytes = Array("\(line)\n".utf8)
    _ = write(2, bytes, bytes.count)
  }
}

/// Ends when the launcher closes its end or a SIGTERM arrives.
final class StopNotice: Sendable {
  let stream: AsyncStream<Void>

  init(input: Int32) {
    let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
    self.stream = stream
    signal(SIGTERM, SIG_IGN)
    let queue = DispatchQueue(label: "ajit.enclave.stop")
    let termination = DispatchSource.makeSignalSource(signal: SIGTERM, queue: queue)
    // A source lives in its handler until it is cancelled.
    termination.setEventHandler {
      continuation.finish()
      termination.cancel()
    }
    termination.activate()
    let end = DispatchSource.makeReadSource(fileDescriptor: input, queue: queue)
    end.setEventHandler {
      // Nothing follows the launch: whatever is readable is the end, or as good as that.
      continuation.finish()
      end.cancel()
    }
    end.activate()
  }
}
