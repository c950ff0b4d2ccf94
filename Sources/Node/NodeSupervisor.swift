import Effects
import Logging
import Messages
import ServiceLifecycle
import Signing
import Synchronization
import Topology

/// Starts one process per node, and starts one again that ended by itself if it is asked to.
actor NodeSupervisor: Service {
  struct Setting: Sendable {
    /// `ajit`.
    var executable: String
    var enclaveExecutable: String?
    var directory: NodeDirectory
    var restartsNodes: Bool
    var logger: Logger
    var report: @Sendable (_ node: String, NodeReport) -> Void
    var tell: @Sendable (NodeEvent) -> Void
  }

  /// Pause before a node is started again: it doubles with every end that follows a start by less than
  /// ``steadySeconds``.
  static let firstPause = Span.milliseconds(100)
  static let longestPause = Span.seconds(10)
  static let steadySeconds: Int64 = 30

  private struct Node {
    let name: String
    var process: NodeProcess?
    var isReady = false
    var pause = NodeSupervisor.firstPause
    var startedAt = ContinuousClock.now
  }

  private let setting: Setting
  private var nodes: [Node]
  private var isStopping = false
  /// Told when a node became ready, or ended.
  private let readiness = Changes()
  /// Of a node that ended by itself while all were being started.
  private var firstEnd: NodeError?

  init(_ setting: Setting, nodes: [String]) {
    self.setting = setting
    self.nodes = nodes.map { Node(name: $0) }
  }

  /// The process that a node is now.
  func process(of node: String) -> Int32? { nodes.first { $0.name == node }?.process?.processID }

  // MARK: Starting

  /// Starts every node and waits until all say that they are reachable. When this throws, none is left.
  func startAll() async throws(NodeError) {
    do throws(NodeError) {
      for number in nodes.indices { try start(number) }
      try await untilReady()
    } catch {
      await endAll()
      throw error
    }
  }

  private func untilReady() async throws(NodeError) {
    for await _ in readiness.stream() {
      if case .nodeStopped(let name, let status, let lines) = firstEnd {
        throw .nodeDidNotStart(name: name, detail: lines.last ?? status)
      }
      if areAllReady { return }
    }
  }

  private var areAllReady: Bool { nodes.allSatisfy(\.isReady) }

  private func start(_ number: Int) throws(NodeError) {
    let (name, setting) = (nodes[number].name, setting)
    var arguments = [
      "ajit", "up", setting.directory.topologyFile, "--node", name, "--supervised",
      "--keys", setting.directory.bundle(name), "--data", setting.directory.node(name),
    ]
    if let enclave = setting.enclaveExecutable { arguments += ["--enclave", enclave] }
    if setting.logger.logLevel < .warning { arguments.append("--verbose") }
    let command = ChildProcess.Command(executable: setting.executable, arguments: arguments)
    nodes[number].isReady = false
    nodes[number].startedAt = .now
    let process = try NodeProcess(name, command) { line in
      setting.logger.warning("\(line)", metadata: ["node": "\(name)"])
    } report: { [weak self] report in
      if case .ready = report { Task { await self?.becameReady(number) } }
      setting.report(name, report)
    }
    nodes[number].process = process
    setting.tell(NodeEvent(node: name, process: process.processID, kind: .started))
    Task { ended(await process.untilExited()) }
  }

  private func ended(_ end: NodeError) {
    if firstEnd == nil { firstEnd = end }
    readiness.tell()
  }

  private func becameReady(_ number: Int) {
    nodes[number].isReady = true
    setting.tell(
      NodeEvent(node: nodes[number].name, process: nodes[number].process?.processID ?? 0, kind: .ready))
    readiness.tell()
  }

  // MARK: Supervising

  func run() async throws {
    try await withGracefulShutdownHandler {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in nodes.indices { group.addTask { try await self.supervise(number) } }
        for try await _ in group {}
      }
    } onGracefulShutdown: {
      Task { await self.endAll() }
    }
    await endAll()
  }

  private func supervise(_ number: Int) async throws {
    while !isStopping, let process = nodes[number].process {
      let end = await withTaskCancellationHandler {
        await process.untilExited()
      } onCancel: {
        Task { await self.endAll() }
      }
      if isStopping || Task.isCancelled { return }
      setting.tell(NodeEvent(node: process.name, process: process.processID, kind: .ended(end.description)))
      guard setting.restartsNodes else { throw end }
      if nodes[number].startedAt.duration(to: .now) > .seconds(Self.steadySeconds) {
        nodes[number].pause = Self.firstPause
      }
      let pause = nodes[number].pause
      nodes[number].pause = min(pause + pause, Self.longestPause)
      try? await Task.sleep(for: .nanoseconds(pause.nanoseconds))
      if !isStopping, !Task.isCancelled { try start(number) }
    }
  }

  /// Ends every node and waits until all are gone.
  func endAll() async {
    isStopping = true
    let processes = nodes.compactMap(\.process)
    await withTaskGroup(of: Void.self) { group in
      for process in processes { group.addTask { await process.end() } }
    }
  }
}
