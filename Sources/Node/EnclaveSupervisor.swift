import Assembly
import Bus
import Glibc
import Hosting
import Logging
import Messages
import Roles
import ServiceLifecycle
import Signing
import Topology

/// Launches every enclave of a topology as a process of its own, vouches for it (the platform actor) and starts it
/// again when it stops, a bounded number of times. It is what RFC 9334 calls the attesting environment.
actor EnclaveSupervisor: Service {
  /// Everything the launches of one node share.
  struct Setting: Sendable {
    /// Nil where there is no enclave to start.
    var executable: EnclaveExecutable?
    var measurement: Digest
    var genesis: Genesis
    var keyring: FileKeyring
    var site: Site
    var bus: Bus
    var hosting: HostSetting
    var logger: Logger
  }

  /// Restarts of one enclave in one life of the node.
  static let maximumRestarts = 5

  private struct Enclave {
    let name: String
    let customer: String
    let directory: String
    let number: Int
    var process: EnclaveProcess?
    var identity: EnclaveIdentity?
    var networkPort: UInt16 = 0
    var bootCount: UInt64 = 0
    var restarts = 0
    var platform: RoleHost?
  }

  private let setting: Setting
  private var enclaves: [Enclave] = []
  private var isStopping = false

  init(_ setting: Setting, directory: NodeDirectory) {
    self.setting = setting
    enclaves = setting.site.enclaves.enumerated().map { number, enclave in
      Enclave(
        name: enclave.name, customer: enclave.customer, directory: directory.enclave(enclave.name), number: number)
    }
  }

  /// By name: what every enclave reported.
  var identities: [String: EnclaveIdentity] {
    var identities: [String: EnclaveIdentity] = [:]
    for enclave in enclaves { identities[enclave.name] = enclave.identity }
    return identities
  }

  /// By name: launches so far.
  var bootCounts: [String: UInt64] {
    Dictionary(uniqueKeysWithValues: enclaves.map { ($0.name, $0.bootCount) })
  }

  /// Sorted by name: the ports of the data plane.
  var ports: [(name: String, ports: (application: UInt16, network: UInt16))] {
    enclaves.map { ($0.name, ($0.identity?.applicationPort.port ?? 0, $0.networkPort)) }.sorted { $0.0 < $1.0 }
  }

  /// The processes that are there now, for tests and for people.
  var processIDs: [Int32] { enclaves.compactMap { $0.process?.processID } }

  // MARK: Launching

  /// Launches every enclave. When this throws, none is left running.
  /// - Parameter ports: application and network port of each in the life before.
  func launchAll(_ ports: (_ enclave: String) -> (application: UInt16, network: UInt16)) async throws(NodeError) {
    do throws(NodeError) {
      for number in enclaves.indices {
        try await launch(number, ports: ports(enclaves[number].name))
        guard setting.site.own == nil else { continue }
        do throws(BusError) {
          try await setting.bus.route(
            ActorAddress(.enclave, enclaves[number].name), to: setting.site.sockets.enclave(number))
        } catch {
          throw .bus(error)
        }
      }
    } catch {
      await endAll()
      throw error
    }
  }

  private func launch(_ number: Int, ports: (application: UInt16, network: UInt16)) async throws(NodeError) {
    let enclave = enclaves[number]
    guard let executable = setting.executable else {
      throw .enclaveExecutableMissing(path: EnclaveExecutable.defaultPath())
    }
    var boots = try BootCounter(path: "\(enclave.directory)/boot")
    try boots.begin()
    let (place, secret, peers) = try setting.site.busOfEnclave(number, setting.keyring)
    var launch = EnclaveLaunch(
      name: enclave.name, customer: enclave.customer, genesis: setting.genesis, clock: setting.site.clock,
      sealingKey: try setting.keyring.sealingSecret(
        platform: KeyName(.platform, enclave.customer), measurement: setting.measurement, enclave: enclave.name),
      stateDirectory: enclave.directory, bootCount: boots.begun, reportedBootCount: boots.reported,
      place: place, busSecret: secret, peers: peers, host: setting.site.host, applicationPort: ports.application,
      networkPort: ports.network)
    defer {
      wipe(&launch.sealingKey)
      wipe(&launch.busSecret)
    }
    let logger = setting.logger
    let observer = setting.hosting.observer
    let process = try EnclaveProcess(executable, name: enclave.name) { line in
      if let count = CountLine(line) {
        return observer(ActorAddress(.enclave, enclave.name), .counted(count.name, by: count.amount))
      }
      logger.warning("\(line)", metadata: ["enclave": "\(enclave.name)"])
    }
    switch await process.launch(launch) {
    case .success(.ready(let identity, let networkPort)):
      try await requireGivenPorts(enclave.name, identity.applicationPort, networkPort, process)
      try boots.reportArrived()
      enclaves[number].process = process
      enclaves[number].identity = identity
      enclaves[number].networkPort = networkPort.port
      enclaves[number].bootCount = boots.begun
      setting.logger.info(
        "enclave ready",
        metadata: [
          "enclave": "\(enclave.name)", "process": "\(process.processID)", "launch": "\(boots.begun)",
          "receiptKey": "\(identity.receiptKey.short)",
        ])
    case .success(.failed(let text)):
      await process.end()
      throw .enclaveDidNotStart(name: enclave.name, detail: text)
    case .failure(let fault):
      process.kill()
      let status = await process.untilExited()
      throw .enclaveDidNotStart(name: enclave.name, detail: "\(fault) (\(ExitStatus(status)))")
    }
  }

  /// Others have the ports of a node's enclaves from the book.
  private func requireGivenPorts(
    _ name: String, _ application: DataAddress, _ network: DataAddress, _ process: EnclaveProcess
  ) async throws(NodeError) {
    for (use, address) in [("application", application), ("network", network)] {
      guard let given = setting.site.port("enclave/\(name)/\(use)"), given != address.port else { continue }
      await process.end()
      throw .enclaveDidNotStart(
        name: name, detail: "UDP port \(given) of the address book is in use: free it, or make new bundles")
    }
  }

  // MARK: Supervising

  /// Works until the node stops: keeps enclaves and their platform actors alive.
  func run() async throws {
    try await withGracefulShutdownHandler {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in enclaves.indices { group.addTask { try await self.supervise(number) } }
        for try await _ in group {}
      }
    } onGracefulShutdown: {
      Task { await self.endAll() }
    }
    await endAll()
  }

  private func supervise(_ number: Int) async throws {
    while !isStopping, let process = enclaves[number].process, let identity = enclaves[number].identity {
      let status = try await withThrowingTaskGroup(of: Int32?.self) { group in
        let platform = try makePlatform(number, identity)
        enclaves[number].platform = platform
        try await platform.register()
        group.addTask {
          try await platform.run()
          return nil
        }
        group.addTask {
          await withTaskCancellationHandler {
            await process.untilExited()
          } onCancel: {
            Task { await self.endAll() }
          }
        }
        // Whichever ends first: the process, or the platform actor because the bus or the node ends.
        let first = try await group.next() ?? nil
        if first == nil { await self.endAll() }
        await platform.stop()
        let second = try await group.next() ?? nil
        return first ?? second
      }
      if isStopping || Task.isCancelled { return }
      try await restart(number, ExitStatus(status ?? 0))
    }
  }

  private func restart(_ number: Int, _ status: ExitStatus) async throws(NodeError) {
    let enclave = enclaves[number]
    setting.logger.warning(
      "enclave stopped",
      metadata: ["enclave": "\(enclave.name)", "status": "\(status)", "launch": "\(enclave.bootCount)"])
    guard enclave.restarts < Self.maximumRestarts else {
      throw .enclaveKeepsStopping(name: enclave.name, restarts: enclave.restarts)
    }
    enclaves[number].restarts += 1
    // The customer and the edge know the ports of the life before.
    try await launch(number, ports: (enclave.identity?.applicationPort.port ?? 0, enclave.networkPort))
    if let before = enclave.identity?.receiptKey, before != enclaves[number].identity?.receiptKey {
      setting.logger.warning("enclave has a new receipt key", metadata: ["enclave": "\(enclave.name)"])
    }
  }

  private func makePlatform(_ number: Int, _ identity: EnclaveIdentity) throws -> RoleHost {
    let enclave = enclaves[number]
    let core = PlatformCore(
      PlatformCore.Configuration(
        name: enclave.name, genesis: setting.genesis,
        platformKey: try setting.keyring.signingKey(KeyName(.platform, enclave.customer)),
        measurement: setting.measurement, receiptKey: identity.receiptKey, bootCount: enclave.bootCount))
    return setting.hosting.host(core, store: NoStore())
  }

  /// Ends every enclave and waits until all are gone.
  func endAll() async {
    isStopping = true
    let processes = enclaves.compactMap(\.process)
    await withTaskGroup(of: Void.self) { group in
      for process in processes { group.addTask { await process.end() } }
    }
  }
}

/// How often an enclave was launched, and which launch last said that its state is sealed: durable before a launch and
/// after its report, so that state put back to an earlier launch is noticed.
struct BootCounter {
  private let path: String
  private(set) var begun: UInt64 = 0
  private(set) var reported: UInt64 = 0

  init(path: String) throws(NodeError) {
    self.path = path
    guard let bytes = try Files.read(path) else { return }
    let numbers = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace).map { UInt64($0) }
    guard numbers.count == 2, let begun = numbers[0], let reported = numbers[1], reported <= begun else {
      throw .damaged(path: path, detail: "it is not two numbers")
    }
    (self.begun, self.reported) = (begun, reported)
  }

  mutating func begin() throws(NodeError) {
    begun += 1
    try write()
  }

  mutating func reportArrived() throws(NodeError) {
    reported = begun
    try write()
  }

  private func write() throws(NodeError) { try Files.replace(path, Array("\(begun) \(reported)\n".utf8)) }
}
