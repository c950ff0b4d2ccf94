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

/// Launches the processes that hold the enclaves of a topology, vouches for each enclave (its platform actor) and
/// starts a process again when it stops, a bounded number of times. It is what RFC 9334 calls the attesting
/// environment.
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
    /// Takes what its processes carried.
    var carried: @Sendable (CarriedTraffic) -> Void
    var logger: Logger
  }

  /// Restarts of one process in one life of the node.
  static let maximumRestarts = 5

  private struct Group {
    let site: Site.EnclaveProcess
    let directory: String
    var process: EnclaveProcess?
    /// As it reported, in the order of its enclaves.
    var ready: [ReadyEnclave] = []
    var bootCount: UInt64 = 0
    var restarts = 0
  }

  private let setting: Setting
  private var groups: [Group]
  private var isStopping = false

  init(_ setting: Setting, directory: NodeDirectory) {
    self.setting = setting
    groups = setting.site.enclaveProcesses.map { Group(site: $0, directory: directory.enclaves($0.name)) }
  }

  /// By name: what every enclave reported.
  var identities: [String: EnclaveIdentity] {
    Dictionary(uniqueKeysWithValues: groups.flatMap(\.ready).map { ($0.name, $0.identity) })
  }

  /// By enclave: launches of its process so far.
  var bootCounts: [String: UInt64] {
    Dictionary(
      uniqueKeysWithValues: groups.flatMap { group in group.site.enclaves.map { ($0.name, group.bootCount) } })
  }

  /// Sorted by name: the ports of the data plane.
  var ports: [(name: String, ports: (application: UInt16, network: UInt16))] {
    groups.flatMap(\.ready).map { ($0.name, ($0.identity.applicationPort.port, $0.networkPort.port)) }
      .sorted { $0.0 < $1.0 }
  }

  /// The processes that are there now, for tests and for people.
  var processIDs: [Int32] { groups.compactMap { $0.process?.processID } }

  // MARK: Launching

  /// Launches every process. When this throws, none is left running.
  /// - Parameter ports: application and network port of each enclave in the life before.
  func launchAll(_ ports: (_ enclave: String) -> (application: UInt16, network: UInt16)) async throws(NodeError) {
    do throws(NodeError) {
      for number in groups.indices {
        let enclaves = groups[number].site.enclaves
        try await launch(number, ports: enclaves.map { ports($0.name) })
        guard setting.site.own == nil else { continue }
        do throws(BusError) {
          for enclave in enclaves {
            try await setting.bus.route(
              ActorAddress(.enclave, enclave.name), to: setting.site.sockets.enclaves(number))
          }
        } catch {
          throw .bus(error)
        }
      }
    } catch {
      await endAll()
      throw error
    }
  }

  private func launch(
    _ number: Int, ports: [(application: UInt16, network: UInt16)]
  ) async throws(NodeError) {
    let group = groups[number]
    let name = group.site.name
    guard let executable = setting.executable else {
      throw .enclaveExecutableMissing(path: EnclaveExecutable.defaultPath())
    }
    var boots = try BootCounter(path: "\(group.directory)/boot")
    try boots.begin()
    var launch = try launch(of: group, number, ports, boots)
    defer {
      wipe(&launch.sealingKey)
      wipe(&launch.busSecret)
    }
    let process = try EnclaveProcess(executable, name: name, log: log(of: group))
    switch await process.launch(launch) {
    case .success(.ready(let ready)):
      guard ready.map(\.name) == group.site.enclaves.map(\.name) else {
        await process.end()
        throw .enclaveDidNotStart(name: name, detail: "it reports other enclaves than it was given")
      }
      for enclave in ready { try await requireGivenPorts(enclave, process) }
      try boots.reportArrived()
      groups[number].process = process
      groups[number].ready = ready
      groups[number].bootCount = boots.begun
      for enclave in ready {
        setting.logger.info(
          "enclave ready",
          metadata: [
            "enclave": "\(enclave.name)", "process": "\(process.processID)", "launch": "\(boots.begun)",
            "receiptKey": "\(enclave.identity.receiptKey.short)",
          ])
      }
    case .success(.failed(let text)):
      await process.end()
      throw .enclaveDidNotStart(name: name, detail: text)
    case .failure(let fault):
      process.kill()
      let status = await process.untilExited()
      throw .enclaveDidNotStart(name: name, detail: "\(fault) (\(ExitStatus(status)))")
    }
  }

  private func launch(
    of group: Group, _ number: Int, _ ports: [(application: UInt16, network: UInt16)], _ boots: BootCounter
  ) throws(NodeError) -> EnclaveLaunch {
    let (place, secret, peers) = try setting.site.bus(ofEnclaves: number, setting.keyring)
    // A platform has one sealing key for each code and process; the first enclave's owner stands for the platform.
    let platform = KeyName(.platform, group.site.enclaves.first?.customer ?? group.site.name)
    return EnclaveLaunch(
      process: group.site.name,
      enclaves: zip(group.site.enclaves, ports).map { enclave, ports in
        EnclaveOrder(
          name: enclave.name, customer: enclave.customer, applicationPort: ports.application,
          networkPort: ports.network)
      },
      genesis: setting.genesis, clock: setting.site.clock,
      sealingKey: try setting.keyring.sealingSecret(
        platform: platform, measurement: setting.measurement, enclave: group.site.name),
      stateDirectory: group.directory, bootCount: boots.begun, reportedBootCount: boots.reported, place: place,
      busSecret: secret, peers: peers, host: setting.site.host)
  }

  /// Counts go to the metrics of the enclave that counted; what is the whole process's goes under its first enclave.
  private func log(of group: Group) -> @Sendable (String) -> Void {
    let logger = setting.logger
    let (observer, carried) = (setting.hosting.observer, setting.carried)
    let names = Set(group.site.enclaves.map(\.name))
    let first = group.site.enclaves.first?.name ?? group.site.name
    let process = group.site.name
    return { line in
      if let count = CountLine(line), names.contains(count.enclave ?? first) {
        return observer(ActorAddress(.enclave, count.enclave ?? first), .counted(count.name, by: count.amount))
      }
      if let line = TrafficLine(line) {
        var traffic = CarriedTraffic()
        traffic.add(line.kind, line.flow)
        return carried(traffic)
      }
      logger.warning("\(line)", metadata: ["enclaves": "\(process)"])
    }
  }

  /// Others have the ports of a node's enclaves from the book.
  private func requireGivenPorts(_ enclave: ReadyEnclave, _ process: EnclaveProcess) async throws(NodeError) {
    for (use, address) in [("application", enclave.identity.applicationPort), ("network", enclave.networkPort)] {
      guard let given = setting.site.port("enclave/\(enclave.name)/\(use)"), given != address.port else { continue }
      await process.end()
      throw .enclaveDidNotStart(
        name: enclave.name, detail: "UDP port \(given) of the address book is in use: free it, or make new bundles")
    }
  }

  // MARK: Supervising

  /// Works until the node stops: keeps enclaves and their platform actors alive.
  func run() async throws {
    try await withGracefulShutdownHandler {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in groups.indices { group.addTask { try await self.supervise(number) } }
        for try await _ in group {}
      }
    } onGracefulShutdown: {
      Task { await self.endAll() }
    }
    await endAll()
  }

  private func supervise(_ number: Int) async throws {
    while !isStopping, let process = groups[number].process {
      let status = try await withThrowingTaskGroup(of: Int32?.self) { group in
        let platforms = try groups[number].ready.map { try makePlatform(groups[number], $0) }
        for platform in platforms { try await platform.register() }
        for platform in platforms {
          group.addTask {
            try await platform.run()
            return nil
          }
        }
        group.addTask {
          await withTaskCancellationHandler {
            await process.untilExited()
          } onCancel: {
            Task { await self.endAll() }
          }
        }
        // Whichever ends first: the process, or a platform actor because the bus or the node ends.
        var status = try await group.next() ?? nil
        if status == nil { await self.endAll() }
        for platform in platforms { await platform.stop() }
        while let next = try await group.next() { status = status ?? next }
        return status
      }
      if isStopping || Task.isCancelled { return }
      try await restart(number, ExitStatus(status ?? 0))
    }
  }

  private func restart(_ number: Int, _ status: ExitStatus) async throws(NodeError) {
    let group = groups[number]
    setting.logger.warning(
      "enclaves stopped",
      metadata: ["enclaves": "\(group.site.name)", "status": "\(status)", "launch": "\(group.bootCount)"])
    guard group.restarts < Self.maximumRestarts else {
      throw .enclaveKeepsStopping(name: group.site.name, restarts: group.restarts)
    }
    groups[number].restarts += 1
    // Customers and edges know the ports of the life before.
    try await launch(number, ports: group.ready.map { ($0.identity.applicationPort.port, $0.networkPort.port) })
    for (before, now) in zip(group.ready, groups[number].ready)
    where before.identity.receiptKey != now.identity.receiptKey {
      setting.logger.warning("enclave has a new receipt key", metadata: ["enclave": "\(now.name)"])
    }
  }

  private func makePlatform(_ group: Group, _ enclave: ReadyEnclave) throws -> RoleHost {
    let customer = group.site.enclaves.first { $0.name == enclave.name }?.customer ?? group.site.name
    let core = PlatformCore(
      PlatformCore.Configuration(
        name: enclave.name, genesis: setting.genesis,
        platformKey: try setting.keyring.signingKey(KeyName(.platform, customer)),
        measurement: setting.measurement, receiptKey: enclave.identity.receiptKey, bootCount: group.bootCount))
    return setting.hosting.host(core, store: NoStore())
  }

  /// Ends every process and waits until all are gone.
  func endAll() async {
    isStopping = true
    let processes = groups.compactMap(\.process)
    await withTaskGroup(of: Void.self) { group in
      for process in processes { group.addTask { await process.end() } }
    }
  }
}

/// How often a process of enclaves was launched, and which launch last said that its state is sealed: durable before a
/// launch and after its report, so that state put back to an earlier launch is noticed.
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
