import Glibc
import Hosting
import Signing
import Wire

/// The enclave's executable, open and measured: what is started is the file that was measured, even if another is put
/// in its place meanwhile.
final class EnclaveExecutable: Sendable {
  let path: String
  let digest: Digest
  private let descriptor: Int32

  init(_ path: String) throws(NodeError) {
    guard Files.isExecutable(path) else { throw .enclaveExecutableMissing(path: path) }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Files.failure(path) }
    do throws(NodeError) { digest = Digest(hashing: try Files.read(descriptor, path)) } catch {
      close(descriptor)
      throw error
    }
    self.path = path
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// Beside the running executable.
  static func defaultPath() -> String { "\(Files.parent(of: Files.ownExecutable()))/ajit-enclave" }

  fileprivate var command: ChildProcess.Command {
    ChildProcess.Command(executable: "/proc/self/fd/\(descriptor)", arguments: ["ajit-enclave"])
  }
}

/// One process of enclaves that was started. It ends when ``end()`` closes its input, or with this process.
final class EnclaveProcess: Sendable {
  private let process: ChildProcess
  var processID: pid_t { process.processID }

  /// How long an enclave may take until it reports, and until it has stopped.
  static let reportSeconds = 30
  static let stopSeconds = 5

  /// - Parameter log: takes what it says on standard error, line by line.
  init(
    _ executable: EnclaveExecutable, name: String, log: @escaping @Sendable (String) -> Void
  ) throws(NodeError) {
    do throws(NodeError) { process = try ChildProcess(executable.command, label: "enclave.\(name)", log: log) } catch {
      throw .enclaveDidNotStart(name: name, detail: "\(error)")
    }
  }

  /// Tells the enclaves who they are and waits for its report. Blocks a thread of its own kind, not the caller's.
  func launch(_ launch: EnclaveLaunch) async -> Result<EnclaveReport, LaunchFault> {
    await withCheckedContinuation { continuation in
      process.queue.async { [process] in
        var timeout = timeval(tv_sec: Self.reportSeconds, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
          setsockopt(process.channel, SOL_SOCKET, option, &timeout, socklen_t(MemoryLayout<timeval>.size))
        }
        let result = Result { () throws(LaunchFault) in
          try LaunchChannel.send(launch.encoded, on: process.channel)
          let bytes = try LaunchChannel.receive(maximum: EnclaveReport.maximumBytes, on: process.channel)
          do { return try EnclaveReport(decoding: bytes) } catch { throw LaunchFault("it reported nonsense") }
        }
        // It has nothing more to say: what it says is thrown away.
        process.watch { _ in }
        continuation.resume(returning: result)
      }
    }
  }

  func untilExited() async -> Int32 { await process.untilExited() }
  func end() async { await process.end(withinSeconds: Self.stopSeconds) }
  func kill() { process.kill() }
}
