import Bus
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
    /// What `ajit up` was told about validators' files.
    var historyArguments: [String]
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
    /// Why it is about to end, when that is planned.
    var outage: Outage?
  }

  /// An end that a schedule of faults asked for: no failure of the node.
  private struct Outage {
    /// Until it is started again; never, when nil.
    let down: Span?
    let tearsFiles: Bool
  }

  private let setting: Setting
  private var nodes: [Node]
  private var isStopping = false
  private var obstructions: [String: [Obstruction]] = [:]
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
    arguments += setting.historyArguments
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
    if obstructions[nodes[number].name] != nil { tellObstructions(number) }
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
      if let outage = nodes[number].outage {
        guard try await sit(out: outage, number) else { return }
        continue
      }
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

  // MARK: Faults

  /// Kills a node as a crash of its host would; it is started again `down` later, and never when that is nil.
  func kill(_ node: String, down: Span?, tearsFiles: Bool) {
    guard !isStopping, let number = nodes.firstIndex(where: { $0.name == node }), nodes[number].outage == nil,
      let process = nodes[number].process
    else { return }
    nodes[number].outage = Outage(down: down, tearsFiles: tearsFiles)
    process.kill()
  }

  /// The node stands still (SIGSTOP) until it is resumed.
  func pause(_ node: String) { nodes.first { $0.name == node }?.process?.pause() }
  func resume(_ node: String) { nodes.first { $0.name == node }?.process?.resume() }

  /// What is to be in force between nodes from now on, by the node that it is in force at; also when that starts anew.
  func obstruct(_ obstructions: [String: [Obstruction]]) {
    self.obstructions = obstructions
    for number in nodes.indices where nodes[number].isReady { tellObstructions(number) }
  }

  private func tellObstructions(_ number: Int) {
    nodes[number].process?.tell(.obstruct(obstructions[nodes[number].name] ?? []))
  }

  /// - Returns: false when the node is not started again.
  private func sit(out outage: Outage, _ number: Int) async throws -> Bool {
    if outage.tearsFiles { TornFile.tear(inside: setting.directory.node(nodes[number].name)) }
    guard let down = outage.down else {
      nodes[number].process = nil
      return false
    }
    try? await Task.sleep(for: .nanoseconds(down.nanoseconds))
    guard !isStopping, !Task.isCancelled else { return false }
    nodes[number].outage = nil
    try start(number)
    return true
  }

  /// Ends every node and waits until all are gone.
  func endAll() async {
    isStopping = true
    let processes = nodes.compactMap(\.process)
    // Who stands still hears nothing.
    for process in processes { process.resume() }
    await withTaskGroup(of: Void.self) { group in
      for process in processes { group.addTask { await process.end() } }
    }
  }
}
