import Dispatch
import Glibc
import Hosting
import Signing
import Synchronization
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
  static func defaultPath() -> String {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    let path = String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return "\(Files.parent(of: path))/ajit-enclave"
  }

  /// What a started process is held by.
  fileprivate struct Spawned {
    let processID: pid_t
    /// Our end of its standard input and output, which are one socket.
    let channel: Int32
    /// Our end of its standard error.
    let log: Int32
  }

  fileprivate func spawn() throws(NodeError) -> Spawned {
    let channel = try pair()
    let log: (ours: Int32, theirs: Int32)
    do throws(NodeError) { log = try pair() } catch {
      close(channel.ours)
      close(channel.theirs)
      throw error
    }
    defer {
      close(channel.theirs)
      close(log.theirs)
    }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, channel.theirs, 0)
    posix_spawn_file_actions_adddup2(&actions, channel.theirs, 1)
    posix_spawn_file_actions_adddup2(&actions, log.theirs, 2)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // A process group of its own: a ^C at the terminal is for the node, which then ends its enclaves in order.
    var (none, all) = (sigset_t(), sigset_t())
    sigemptyset(&none)
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setpgroup(&attributes, 0)
    let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
    posix_spawnattr_setflags(&attributes, Int16(flags))

    var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("ajit-enclave"), nil]
    // Nothing of our environment is its business but where its libraries are.
    var environment: [UnsafeMutablePointer<CChar>?] = [
      getenv("LD_LIBRARY_PATH").flatMap { strdup("LD_LIBRARY_PATH=\(String(cString: $0))") }, nil,
    ]
    defer {
      free(arguments[0])
      free(environment[0])
    }
    var process: pid_t = 0
    let code = posix_spawn(&process, "/proc/self/fd/\(descriptor)", &actions, &attributes, &arguments, &environment)
    guard code == 0 else {
      close(channel.ours)
      close(log.ours)
      throw .enclaveDidNotStart(name: path, detail: Files.reason(code))
    }
    return Spawned(processID: process, channel: channel.ours, log: log.ours)
  }

  private func pair() throws(NodeError) -> (ours: Int32, theirs: Int32) {
    var ends: [Int32] = [-1, -1]
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
      throw .file(path: path, detail: Files.reason(errno))
    }
    return (ends[0], ends[1])
  }
}

/// One enclave that was started. It ends when ``end()`` closes its input, or with this process.
final class EnclaveProcess: Sendable {
  let processID: pid_t
  private let channel: Int32
  private let queue: DispatchQueue
  private let state = Mutex(State())

  private struct State {
    var exit: Int32?
    var waiters: [CheckedContinuation<Int32, Never>] = []
  }

  /// How long an enclave may take until it reports, and until it has stopped.
  static let reportSeconds = 30
  static let stopSeconds = 5

  /// - Parameter log: takes what it says on standard error, line by line.
  init(
    _ executable: EnclaveExecutable, name: String, log: @escaping @Sendable (String) -> Void
  ) throws(NodeError) {
    let spawned = try executable.spawn()
    (processID, channel) = (spawned.processID, spawned.channel)
    queue = DispatchQueue(label: "ajit.enclave.\(name)")
    LineReader.start(on: spawned.log, log)
  }

  deinit { close(channel) }

  /// Tells the enclave what it is and waits for its report. Blocks a thread of its own kind, not the caller's.
  func launch(_ launch: EnclaveLaunch) async -> Result<EnclaveReport, LaunchFault> {
    await withCheckedContinuation { continuation in
      queue.async { [self] in
        var timeout = timeval(tv_sec: Self.reportSeconds, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
          setsockopt(channel, SOL_SOCKET, option, &timeout, socklen_t(MemoryLayout<timeval>.size))
        }
        let result = Result { () throws(LaunchFault) in
          try LaunchChannel.send(launch.encoded, on: channel)
          let bytes = try LaunchChannel.receive(maximum: EnclaveReport.maximumBytes, on: channel)
          do { return try EnclaveReport(decoding: bytes) } catch { throw LaunchFault("it reported nonsense") }
        }
        watch()
        continuation.resume(returning: result)
      }
    }
  }

  /// Returns when the process is gone: its exit status as `waitpid` gives it.
  func untilExited() async -> Int32 {
    await withCheckedContinuation { continuation in
      let exit = state.withLock { state -> Int32? in
        if state.exit == nil { state.waiters.append(continuation) }
        return state.exit
      }
      if let exit { continuation.resume(returning: exit) }
    }
  }

  /// Closes its input, upon which it stops; kills it if that takes longer than ``stopSeconds``.
  func end() async {
    shutdown(channel, Int32(SHUT_WR))
    queue.asyncAfter(deadline: .now() + .seconds(Self.stopSeconds)) { [weak self] in self?.kill() }
    _ = await untilExited()
  }

  /// At once.
  func kill() {
    state.withLock { state in
      // Its number is ours until it has been waited for.
      if state.exit == nil { _ = Glibc.kill(processID, SIGKILL) }
    }
  }

  /// Its end of the channel closes when it exits, and not before.
  private func watch() {
    let source = DispatchSource.makeReadSource(fileDescriptor: channel, queue: queue)
    // The handler keeps the source and this object until the process is gone.
    source.setEventHandler { [self] in
      if hasEnded() {
        source.cancel()
        collect()
      }
    }
    source.activate()
  }

  /// It has nothing more to say: what it says is thrown away.
  private func hasEnded() -> Bool {
    var bytes = [UInt8](repeating: 0, count: 256)
    let count = recv(channel, &bytes, bytes.count, Int32(MSG_DONTWAIT))
    return count == 0 || count < 0 && errno != EAGAIN && errno != EINTR
  }

  private func collect() {
    kill()
    var status: Int32 = 0
    while waitpid(processID, &status, 0) < 0, errno == EINTR {}
    let waiters = state.withLock { state in
      state.exit = status
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume(returning: status) }
  }
}
