import Bus
import Effects
import Logging
import Messages
import Metrics
import Synchronization

/// Where everything that the hosts of a node observe comes together: the log, the metrics and the stream that the
/// command line reads. Called from the hosts' turns, so it never waits.
final class Watcher: Sendable {
  typealias Observed = (ActorAddress, Observation)

  /// Counts are logged at most this often, as what happened since the last time.
  static let reportInterval = Span.seconds(1)

  let drops = PolicyDrops()
  private let logger: Logger
  private let stream: AsyncStream<Observed>.Continuation
  private let state = Mutex(State())
  /// Told of what may have settled something.
  private let changed: @Sendable () -> Void
  private let finalized: @Sendable (Height) -> Void

  private struct State {
    var dropped: UInt64 = 0
    /// Counts since the last report, by actor and name.
    var counts: [CountKey: UInt64] = [:]
    var counters: [CountKey: Counter] = [:]
    var heights: [ActorAddress: Gauge] = [:]
    /// Of this process and its enclaves'.
    var traffic = CarriedTraffic()
    var meters: [TrafficKind: TrafficMeter] = [:]
  }

  private struct CountKey: Hashable, Comparable {
    /// Nil for what all actors of the process share.
    let actor: ActorAddress?
    let name: String

    var source: String { actor.map { "\($0)" } ?? "node" }

    static func < (left: CountKey, right: CountKey) -> Bool {
      (left.source, left.name) < (right.source, right.name)
    }
  }

  /// Different counts kept at a time: some of their names come from enclaves, whose word is checked for form only.
  static let maximumCounts = 65_536

  init(
    logger: Logger, stream: AsyncStream<Observed>.Continuation, finalized: @escaping @Sendable (Height) -> Void,
    changed: @escaping @Sendable () -> Void
  ) {
    self.logger = logger
    self.stream = stream
    self.finalized = finalized
    self.changed = changed
  }

  var dropped: UInt64 { state.withLock { $0.dropped } }
  var traffic: CarriedTraffic { state.withLock { $0.traffic } }

  func observe(_ actor: ActorAddress, _ observation: Observation) {
    if case .dropped = stream.yield((actor, observation)) { state.withLock { $0.dropped += 1 } }
    drops.observe(actor, observation)
    switch observation {
    case .blockFinal(let height, _, _, _):
      gauge(of: actor).record(Int64(clamping: height))
      finalized(height)
    case .activation(let id, let step):
      changed()
      logger.info("activation", metadata: ["actor": "\(actor)", "activation": "\(id.short)", "step": "\(step.name)"])
    case .epochRecorded(let id, let record):
      logger.debug("epoch", metadata: ["actor": "\(actor)", "activation": "\(id.short)", "epoch": "\(record.epoch)"])
    case .counted(let name, let amount): count(CountKey(actor: actor, name: name), amount)
    case .note(.information, let text): logger.info("\(text)", metadata: ["actor": "\(actor)"])
    case .note(.warning, let text): logger.warning("\(text)", metadata: ["actor": "\(actor)"])
    }
  }

  /// Counts of what all actors of the process share.
  func count(_ counts: [(name: String, amount: UInt64)]) {
    for (name, amount) in counts { count(CountKey(actor: nil, name: name), amount) }
  }

  /// What this process, or one of its enclaves', has carried since it last told.
  func carried(_ added: CarriedTraffic) {
    state.withLock { state in
      state.traffic.add(added)
      for (kind, flow) in added.rows {
        let meter = state.meters[kind] ?? TrafficMeter(kind)
        state.meters[kind] = meter
        meter.add(flow)
      }
    }
  }

  /// Logs what was refused or lost since the last call: one line per actor and reason.
  func report() {
    let counts = state.withLock { state in
      defer { state.counts = [:] }
      return state.counts
    }
    for key in counts.keys.sorted() {
      // What was refused came from somebody who should not have sent it, what was lost should have arrived; the rest
      // is housekeeping.
      let isAlarming = key.name.hasPrefix("refused.") || key.name.hasPrefix("lost.")
      let level: Logger.Level = isAlarming ? .warning : .debug
      logger.log(
        level: level, "counted",
        metadata: ["actor": "\(key.source)", "what": "\(key.name)", "times": "\(counts[key] ?? 0)"])
    }
  }

  /// Ends the stream: nothing is observed after this.
  func finish() { stream.finish() }

  private func count(_ key: CountKey, _ amount: UInt64) {
    let counter = state.withLock { state -> Counter? in
      guard state.counters[key] != nil || state.counters.count < Self.maximumCounts else { return nil }
      state.counts[key, default: 0] += amount
      if let counter = state.counters[key] { return counter }
      let dimensions = [
        ("role", key.actor?.role.rawValue ?? "node"), ("actor", key.actor?.name ?? "node"), ("what", key.name),
      ]
      let counter = Counter(label: "ajit_counted_total", dimensions: dimensions)
      state.counters[key] = counter
      return counter
    }
    counter?.increment(by: Int64(clamping: amount))
  }

  private func gauge(of actor: ActorAddress) -> Gauge {
    state.withLock { state in
      if let gauge = state.heights[actor] { return gauge }
      let gauge = Gauge(label: "ajit_final_height", dimensions: [("role", actor.role.rawValue), ("actor", actor.name)])
      state.heights[actor] = gauge
      return gauge
    }
  }
}

/// `ajit_messages_total` and `ajit_message_bytes_total` of one kind of traffic, in both directions.
private struct TrafficMeter {
  private let sent: (messages: Counter, bytes: Counter)
  private let received: (messages: Counter, bytes: Counter)

  init(_ kind: TrafficKind) {
    func counters(_ direction: String) -> (messages: Counter, bytes: Counter) {
      let dimensions = [
        ("kind", kind.name), ("place", kind.isInside ? "inside" : "between"), ("direction", direction),
      ]
      return (
        Counter(label: "ajit_messages_total", dimensions: dimensions),
        Counter(label: "ajit_message_bytes_total", dimensions: dimensions)
      )
    }
    (sent, received) = (counters("sent"), counters("received"))
  }

  func add(_ flow: CarriedTraffic.Flow) {
    for (counters, volume) in [(sent, flow.sent), (received, flow.received)] {
      counters.messages.increment(by: Int64(clamping: volume.messages))
      counters.bytes.increment(by: Int64(clamping: volume.bytes))
    }
  }
}

extension ActivationStep {
  /// For the log.
  var name: String {
    switch self {
    case .submitted(let label, _, let customer): "submitted \(label) by \(customer)"
    case .requested: "REQUESTED"
    case .sliceFound: "slice found"
    case .sliceRejected(let reason, _): "slice rejected: \(reason)"
    case .reserved: "RESERVED"
    case .flowOpen: "flow open"
    case .serving: "serving"
    case .droppedByPolicy(let epoch, let packets): "\(packets) packets of epoch \(epoch) dropped by policy"
    case .delivered: "delivered"
    case .settlementProposed: "settlement proposed"
    case .ended(let change): change.state.name
    case .refused(let reason): "refused: \(reason)"
    }
  }
}
