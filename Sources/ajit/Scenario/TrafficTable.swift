import Bus

/// What was carried, for machines: sums, and a row for each kind.
struct TrafficTable: Encodable, Sendable {
  struct Volume: Encodable, Sendable {
    let messages, bytes: UInt64
  }

  /// See `Bus.TrafficKind`: `call.openFlow`, `publication.consensus.vote`, `client.answer.consensus.segments`, …
  struct Row: Encodable, Sendable {
    let kind: String
    /// `inside` one process, or `between` two.
    let place: String
    let sent, received: Volume
  }

  /// On the bus, without what clients ask; every message once, where it arrived.
  let messages: Volume
  /// Of the data plane, likewise.
  let datagrams: Volume
  let kinds: [Row]

  init(_ traffic: CarriedTraffic) {
    messages = Volume(traffic.onBus.received)
    datagrams = Volume(traffic[.datagram].received)
    kinds = traffic.rows.map { kind, flow in
      Row(
        kind: kind.name, place: kind.isInside ? "inside" : "between", sent: Volume(flow.sent),
        received: Volume(flow.received))
    }
  }
}

extension TrafficTable.Volume {
  init(_ volume: CarriedTraffic.Volume) { self.init(messages: volume.messages, bytes: volume.bytes) }
}

extension CarriedTraffic {
  /// What actors say to each other, without who only looks on.
  var onBus: Flow { sum { $0.form != .datagram && !$0.isForClient } }
}

extension Wording {
  /// `carried 1234 messages (567 kB) on the bus and 800 datagrams (160 kB)`.
  static func carried(_ traffic: CarriedTraffic) -> String {
    func kilobytes(_ volume: CarriedTraffic.Volume) -> String { "\((volume.bytes + 500) / 1000) kB" }
    let (bus, data) = (traffic.onBus.received, traffic[.datagram].received)
    return "carried \(counted(bus.messages, "message")) (\(kilobytes(bus))) on the bus and "
      + "\(counted(data.messages, "datagram")) (\(kilobytes(data)))"
  }
}
