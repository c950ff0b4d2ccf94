import Dispatch
import Glibc
import Synchronization

/// A process that this one started and that cannot outlive it: its standard input and output are one socket to us, it
/// stops when that ends, and we learn of its end because the socket does. Its log is standard error. It counts as ended
/// when it is gone and its log was read to the last line.
final class ChildProcess: Sendable {
  /// What to start. Nothing of our environment is its business but what is named here.
  struct Command {
    /// A file, or a descriptor's name under `/proc/self/fd`.
    var executable: String
    /// The first is the name it goes by.
    var arguments: [String]
    var environment: [String] = ["LD_LIBRARY_PATH"]
  }

  let processID: pid_t
  /// Our end of the socket.
  let channel: Int32
  let queue: DispatchQueue
  private let state = Mutex(State())

  private struct State {
    var exit: Int32?
    var isLogRead = false
    var waiters: [CheckedContinuation<Int32, Never>] = []

    /// Nil until it has ended.
    var end: Int32? { isLogRead ? exit : nil }
  }

  /// Whoever inherited its standard error, against our rules, can keep that open: a log ends so long after its process.
  private static let logSeconds = 5

  /// - Parameter log: takes what it says on standard error, line by line.
  init(_ command: Command, label: String, log: @escaping @Sendable (String) -> Void) throws(NodeError) {
    let spawned = try Spawning.start(command)
    (processID, channel) = (spawned.processID, spawned.channel)
    queue = DispatchQueue(label: "ajit.process.\(label)")
    LineReader.start(on: spawned.log, log) { [weak self] in self?.change { $0.isLogRead = true } }
  }

  deinit { close(channel) }

  /// Takes what it says on the socket, in pieces as they come, until it ends; only then is its end noticed.
  func watch(_ take: @escaping @Sendable ([UInt8]) -> Void) {
    let source = DispatchSource.makeReadSource(fileDescriptor: channel, queue: queue)
    // The handler keeps the source and this object until the process is gone. It reads all there is: last words and the
    // end may come together, and dispatch tells of a hang-up (EPOLLHUP) once.
    source.setEventHandler { [self] in
      var bytes = [UInt8](repeating: 0, count: 1 << 16)
      while true {
        let count = recv(channel, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        if count < 0, errno == EINTR { continue }
        if count < 0, errno == EAGAIN { return }
        guard count > 0 else { break }
        take(Array(bytes[..<count]))
      }
      source.cancel()
      collect()
    }
    source.activate()
  }

  /// Returns when the process has ended: its exit status as `waitpid` gives it.
  func untilExited() async -> Int32 {
    await withCheckedContinuation { continuation in change { $0.waiters.append(continuation) } }
  }

  /// Closes its input, upon which it stops; kills it if that takes longer than so many seconds.
  func end(withinSeconds seconds: Int) async {
    shutdown(channel, Int32(SHUT_WR))
    queue.asyncAfter(deadline: .now() + .seconds(seconds)) { [weak self] in self?.kill() }
    _ = await untilExited()
  }

  /// At once.
  func kill() { signal(SIGKILL) }

  func signal(_ signal: Int32) {
    state.withLock { state in
      // Its number is ours until it has been waited for.
      if state.exit == nil { _ = Glibc.kill(processID, signal) }
    }
  }

  private func collect() {
    kill()
    var status: Int32 = 0
    while waitpid(processID, &status, 0) < 0, errno == EINTR {}
    change { $0.exit = status }
    queue.asyncAfter(deadline: .now() + .seconds(Self.logSeconds)) { [weak self] in
      self?.change { $0.isLogRead = true }
    }
  }

  /// Whoever waits for the end learns of it when a change has brought it.
  private func change(_ make: (inout State) -> Void) {
    let (end, waiters) = state.withLock { state -> (Int32?, [CheckedContinuation<Int32, Never>]) in
      make(&state)
      guard let end = state.end else { return (nil, []) }
      defer { state.waiters = [] }
      return (end, state.waiters)
    }
    guard let end else { return }
    for waiter in waiters { waiter.resume(returning: end) }
  }
}

/// How a process ended, for people (waitpid(2)).
struct ExitStatus: CustomStringConvertible {
  private let status: Int32
  init(_ status: Int32) { self.status = status }

  var description: String {
    let signal = status & 0x7F
    return signal == 0 ? "exit code \(status >> 8 & 0xFF)" : "signal \(signal)"
  }
}

/// posix_spawn(3) with the descriptors and signals that a ``ChildProcess`` is to have.
private enum Spawning {
  /// What a started process is held by.
  struct Spawned {
    let processID: pid_t
    let channel: Int32
    /// Our end of its standard error.
    let log: Int32
  }

  static func start(_ command: ChildProcess.Command) throws(NodeError) -> Spawned {
    let channel = try pair(command)
    let log: (ours: Int32, theirs: Int32)
    do throws(NodeError) { log = try pair(command) } catch {
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
    // A process group of its own: a ^C at the terminal is for us, who then end our children in order.
    var (none, all) = (sigset_t(), sigset_t())
    sigemptyset(&none)
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setpgroup(&attributes, 0)
    let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
    posix_spawnattr_setflags(&attributes, Int16(flags))

    var arguments = command.arguments.map { strdup($0) } + [nil]
    var environment =
      command.environment.compactMap { name in
        getenv(name).flatMap { strdup("\(name)=\(String(cString: $0))") }
      } + [nil]
    defer { for text in arguments + environment { free(text) } }
    var process: pid_t = 0
    let code = posix_spawn(&process, command.executable, &actions, &attributes, &arguments, &environment)
    guard code == 0 else {
      close(channel.ours)
      close(log.ours)
      throw .file(path: command.executable, detail: "it cannot be started: \(Files.reason(code))")
    }
    return Spawned(processID: process, channel: channel.ours, log: log.ours)
  }

  private static func pair(_ command: ChildProcess.Command) throws(NodeError) -> (ours: Int32, theirs: Int32) {
    var ends: [Int32] = [-1, -1]
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
      throw .file(path: command.executable, detail: Files.reason(errno))
    }
    return (ends[0], ends[1])
  }
}
