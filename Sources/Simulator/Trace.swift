import Effects
import Messages
import Signing
import Wire

/// A running hash over everything that happened, in order: for each event its instant, its actor and its content, then
/// each effect. Two runs with one hash were the same run. Content that travels goes in by its digest; texts for people
/// do not go in.
struct Trace {
  private var digest = Digest(label: "AJIT trace", [])
  private var pending = CBORWriter(reservingBytes: Trace.chunkBytes + 4096)
  private static let chunkBytes = 1 << 16

  var hash: Digest { pending.bytes.isEmpty ? digest : Digest(label: "AJIT trace", digest.bytes, pending.bytes) }

  private mutating func fold() {
    guard pending.bytes.count >= Self.chunkBytes else { return }
    digest = hash
    pending = CBORWriter(reservingBytes: Self.chunkBytes + 4096)
  }

  /// What the world does to an actor besides its events.
  enum Incident: UInt64 {
    case born = 32
    case crashed = 33
    case halted = 34
    /// Of the schedule, by its number there.
    case fault = 35
    case healed = 36
  }

  mutating func add(_ incident: Incident, _ actor: Int, at now: Instant) {
    head(incident.rawValue, actor, now)
    fold()
  }

  mutating func add(_ event: Event, content: Digest?, to actor: Int, at now: Instant) {
    switch event {
    case .started: head(0, actor, now)
    case .request(let token, let from, _):
      head(1, actor, now)
      pending.write(token.number)
      pending.write(from)
    case .response(let id, let result):
      head(2, actor, now)
      pending.write(id.number)
      if case .failure(let error) = result { pending.write(error) }
    case .published(let subscription, let gap, _):
      head(3, actor, now)
      pending.write(subscription.publisher)
      pending.write(subscription.topic)
      pending.write(gap)
    case .timer(let id):
      head(4, actor, now)
      write(id)
    case .datagrams(let datagrams):
      head(5, actor, now)
      write(datagrams)
    case .recalled(let id, let records):
      head(6, actor, now)
      pending.write(id.number)
      for record in records { pending.write(record.key) }
    case .ledger(let tip, let notices):
      head(7, actor, now)
      pending.write(tip.height)
      pending.write(UInt64(notices.count))
    }
    if let content { pending.write(content) }
    fold()
  }

  mutating func add(_ effect: Effect, content: Digest?) {
    switch effect {
    case .persist(.put(let stream, let key, let bytes)):
      kind(16)
      pending.write(UInt64(stream))
      pending.write(key)
      pending.write(bytes: bytes)
    case .persist(.prune(let stream, let key)):
      kind(17)
      pending.write(UInt64(stream))
      pending.write(key)
    case .persist(.retire(let stream, let key)):
      kind(29)
      pending.write(UInt64(stream))
      pending.write(key)
    case .recall(let id, let stream, let from, let limit):
      kind(18)
      pending.write(id.number)
      pending.write(UInt64(stream))
      pending.write(from)
      pending.write(Int64(limit))
    case .publish(let topic, _):
      kind(19)
      pending.write(topic)
    case .request(let id, let to, _, let deadline):
      kind(20)
      pending.write(id.number)
      pending.write(to)
      pending.write(deadline)
    case .reply(let token, _):
      kind(21)
      pending.write(token.number)
    case .refuse(let token, let error):
      kind(22)
      pending.write(token.number)
      pending.write(error)
    case .setTimer(let id, let at):
      kind(23)
      write(id)
      pending.write(at)
    case .cancelTimer(let id):
      kind(24)
      write(id)
    case .transmit(let datagrams):
      kind(25)
      write(datagrams)
    case .observe: kind(26)
    case .recognise(let era):
      kind(28)
      pending.write(era.era)
    case .tell(let news):
      kind(29)
      pending.write(news.tip.height)
    case .halt: kind(27)
    }
    if let content { pending.write(content) }
    fold()
  }

  private mutating func kind(_ kind: UInt64) { pending.write(kind) }

  private mutating func head(_ kind: UInt64, _ actor: Int, _ now: Instant) {
    pending.write(kind)
    pending.write(UInt64(actor))
    pending.write(now)
  }

  private mutating func write(_ id: TimerID) {
    pending.write(UInt64(id.purpose))
    pending.write(id.index)
  }

  private mutating func write(_ datagrams: [Datagram]) {
    for datagram in datagrams {
      pending.write(datagram.source)
      pending.write(datagram.destination)
      pending.write(bytes: datagram.bytes)
    }
  }
}
