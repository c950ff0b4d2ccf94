import Messages
import Wire

/// What one process has said and heard so far: whole messages and their bytes, by kind. Or the sum of several.
///
/// A message counts as sent when libzmq takes it (the kernel, for a datagram), and as received when libzmq gives it:
/// once at either end. PUB takes what nobody subscribes, once for every place where the bus listens, so what was
/// *received* is what a network carried. Its bytes are those of its frames (`BusFrames`), header and body: without the
/// identity that a ROUTER adds and takes off, without ZMTP's framing and CURVE's. A datagram's are its payload. What
/// libzmq and the kernel say among themselves (handshakes, heartbeats, subscriptions, acknowledgements) is not counted.
public struct CarriedTraffic: Hashable, Sendable {
  public struct Volume: Hashable, Sendable {
    public var messages: UInt64
    public var bytes: UInt64

    public init(messages: UInt64 = 0, bytes: UInt64 = 0) {
      self.messages = messages
      self.bytes = bytes
    }
  }

  public struct Flow: Hashable, Sendable {
    public var sent: Volume
    public var received: Volume

    public init(sent: Volume = Volume(), received: Volume = Volume()) {
      self.sent = sent
      self.received = received
    }
  }

  private var flows: [TrafficKind: Flow] = [:]

  public init() {}

  /// Every kind that there was, sorted by its name.
  public var rows: [(kind: TrafficKind, flow: Flow)] {
    flows.map { (name: $0.key.description, row: (kind: $0.key, flow: $0.value)) }
      .sorted { $0.name < $1.name }.map(\.row)
  }

  public subscript(kind: TrafficKind) -> Flow { flows[kind] ?? Flow() }

  public func sum(where isMeant: (TrafficKind) -> Bool = { _ in true }) -> Flow {
    flows.reduce(into: Flow()) { sum, entry in if isMeant(entry.key) { sum.add(entry.value) } }
  }

  public mutating func add(_ kind: TrafficKind, _ flow: Flow) { flows[kind, default: Flow()].add(flow) }

  public mutating func add(_ other: CarriedTraffic) {
    for (kind, flow) in other.flows { add(kind, flow) }
  }

  /// What was added since it was like this.
  public func since(_ before: CarriedTraffic) -> CarriedTraffic {
    var added = CarriedTraffic()
    for (kind, flow) in flows where flow != before[kind] { added.flows[kind] = flow.since(before[kind]) }
    return added
  }

  mutating func sent(_ kind: TrafficKind, bytes: Int) { flows[kind, default: Flow()].sent.add(bytes: bytes) }
  mutating func received(_ kind: TrafficKind, bytes: Int) { flows[kind, default: Flow()].received.add(bytes: bytes) }
}

extension CarriedTraffic.Flow {
  /// Others' figures are added, too: they may be anything.
  mutating func add(_ other: Self) {
    sent.add(other.sent)
    received.add(other.received)
  }

  func since(_ before: Self) -> Self {
    Self(sent: sent.since(before.sent), received: received.since(before.received))
  }
}

extension CarriedTraffic.Volume {
  /// One message more.
  public mutating func add(bytes count: Int) { add(Self(messages: 1, bytes: UInt64(count))) }

  public mutating func add(_ other: Self) {
    messages = messages.addingSaturating(other.messages)
    bytes = bytes.addingSaturating(other.bytes)
  }

  func since(_ before: Self) -> Self {
    Self(
      messages: messages - min(messages, before.messages), bytes: bytes - min(bytes, before.bytes))
  }
}

extension UInt64 {
  fileprivate func addingSaturating(_ other: UInt64) -> UInt64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}

/// Between processes of one build: nothing is kept, nothing is signed, so there is no version.
extension CarriedTraffic: WireCodable {
  /// Rows in one report. There are fewer kinds.
  public static let maximumRows = 4096
  private static let maximumNameBytes = 128

  public func encode(to writer: inout CBORWriter) {
    let rows = rows
    writer.array(rows.count)
    for (kind, flow) in rows {
      writer.array(5)
      writer.write(kind.description)
      for number in [flow.sent.messages, flow.sent.bytes, flow.received.messages, flow.received.bytes] {
        writer.write(number)
      }
    }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self.init()
    let rows = try reader.array(maximum: Self.maximumRows) { (reader, count) throws(WireError) in
      var rows: [(TrafficKind, Flow)] = []
      for _ in 0..<count { rows.append(try Self.row(&reader)) }
      return rows
    }
    for (kind, flow) in rows { add(kind, flow) }
  }

  private static func row(_ reader: inout CBORReader) throws(WireError) -> (TrafficKind, Flow) {
    try reader.record(5) { (reader) throws(WireError) in
      guard let kind = TrafficKind(try reader.text(maximum: maximumNameBytes)) else {
        throw .invalidValue(field: "kind of traffic")
      }
      let sent = Volume(messages: try reader.uint(), bytes: try reader.uint())
      return (kind, Flow(sent: sent, received: Volume(messages: try reader.uint(), bytes: try reader.uint())))
    }
  }
}
