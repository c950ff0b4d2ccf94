import Messages
import Wire

/// The wire protocol of the bus, whole. Each line is one ZeroMQ message, each word one frame of it; frames named in
/// brackets are added and removed by the ROUTER socket. Headers are deterministic CBOR (RFC 8949 §4.2.1) as positional
/// arrays of exactly the items shown; bodies are opaque. Whatever does not match is dropped, counted as malformed,
/// and has no effect.
///
///     ; DEALER of the asker → ROUTER of the asked
///     request       = [identity] call-header body
///     fetch         = [identity] fetch-header fetch-body
///     call-header   = [ version, 1, id, from, to, budget ]
///     fetch-header  = [ version, 2, id, from, publisher, budget ]
///     fetch-body    = [ topic, from-sequence, count ]
///
///     ; ROUTER → DEALER, in any order, at most one per id
///     answer        = [identity] result-header body
///     refusal       = [identity] error-header remote-error
///     fetched       = [identity] result-header fetched-body
///     result-header = [ version, 3, id ]
///     error-header  = [ version, 4, id ]
///     remote-error  = [ code, text ]                          ; Messages.RemoteError
///     fetched-body  = [ incarnation, publication-port, oldest, latest, first, [ * body-bytes ] ]
///
///     ; PUB → SUB
///     publication   = key message-header body
///     announcement  = key announce-header                     ; "this is the latest": shows loss at the tail
///     key           = address-text %x00 topic-octet           ; not CBOR: SUB matches it as a prefix
///     message-header  = [ version, 5, incarnation, sequence ]
///     announce-header = [ version, 6, incarnation, latest ]
///
///     version = 1
///     id      = uint      ; chosen by the asker's bus, not reused in its life
///     from, to, publisher = text                              ; Messages.ActorAddress
///     budget  = uint      ; nanoseconds the asker will still wait when this leaves
///     incarnation = uint  ; random, new for every life of a publisher's bus
///     sequence, latest, oldest, first, from-sequence = uint   ; messages of one (publisher, topic), from 1
///     count   = uint      ; messages wanted at most; 0 asks only for the position
///     publication-port = uint ; tcp port of the PUB socket, 0 on other transports
///
/// libzmq hands a message over when its last frame is there and does not bound the number of frames before: an
/// enrolled peer that never ends a message can make it buffer. Extra frames are thrown away as they are read.
///
/// A publisher that has published nothing answers `latest` 0 and `oldest` 1. `fetched` carries consecutive messages
/// from `first`, which is the larger of `from-sequence` and `oldest`; fewer than wanted when a limit is reached.
enum BusFrames {
  static let version: UInt64 = 1
  /// Frames of one message after the identity. More is malformed.
  static let maximumFrames = 3
  /// A header is small: two addresses and four integers. Longer is malformed.
  static let headerLimits = WireLimits(maximumBytes: 512, maximumStringBytes: 128, maximumItems: 8, maximumDepth: 2)

  enum Kind: UInt64 {
    case call = 1
    case fetch = 2
    case result = 3
    case error = 4
    case message = 5
    case announce = 6
  }
}

/// One stream of numbered messages.
struct PublicationKey: Hashable, Sendable {
  let publisher: ActorAddress
  let topic: Topic

  private static let maximumFrameBytes = 128

  /// The first frame of its messages. The zero ends the name, so no key is a prefix of another.
  var frame: [UInt8] { Array(publisher.description.utf8) + [0, topic.rawValue] }

  init(publisher: ActorAddress, topic: Topic) {
    self.publisher = publisher
    self.topic = topic
  }

  init?(frame: [UInt8]) {
    guard frame.count > 2, frame.count <= Self.maximumFrameBytes, frame[frame.count - 2] == 0,
      let topic = Topic(rawValue: frame[frame.count - 1]),
      let text = String(validating: frame.dropLast(2), as: UTF8.self), let publisher = ActorAddress(text)
    else { return nil }
    self.init(publisher: publisher, topic: topic)
  }
}

/// The header of a request or a fetch.
struct CallHeader: Sendable {
  enum Kind: Sendable { case call, fetch }

  let kind: Kind
  let id: UInt64
  let from: ActorAddress
  let to: ActorAddress
  let budgetNanoseconds: UInt64

  var frame: [UInt8] {
    var writer = CBORWriter(reservingBytes: 96)
    writer.array(6)
    writer.write(BusFrames.version)
    writer.write(kind == .call ? BusFrames.Kind.call.rawValue : BusFrames.Kind.fetch.rawValue)
    writer.write(id)
    writer.write(from)
    writer.write(to)
    writer.write(budgetNanoseconds)
    return writer.bytes
  }
}

extension CallHeader {
  init(frame: [UInt8]) throws(WireError) {
    var reader = try CBORReader(frame, limits: BusFrames.headerLimits)
    self = try reader.record(6) { (reader) throws(WireError) in
      let kind: Kind
      switch try reader.busKind() {
      case .call: kind = .call
      case .fetch: kind = .fetch
      default: throw .invalidValue(field: "kind")
      }
      return CallHeader(
        kind: kind, id: try reader.uint(), from: try reader.value(), to: try reader.value(),
        budgetNanoseconds: try reader.uint())
    }
    try reader.finish()
  }
}

/// The header of an answer.
struct AnswerHeader: Sendable {
  let isError: Bool
  let id: UInt64

  var frame: [UInt8] {
    var writer = CBORWriter(reservingBytes: 16)
    writer.array(3)
    writer.write(BusFrames.version)
    writer.write(isError ? BusFrames.Kind.error.rawValue : BusFrames.Kind.result.rawValue)
    writer.write(id)
    return writer.bytes
  }
}

extension AnswerHeader {
  init(frame: [UInt8]) throws(WireError) {
    var reader = try CBORReader(frame, limits: BusFrames.headerLimits)
    self = try reader.record(3) { (reader) throws(WireError) in
      let isError: Bool
      switch try reader.busKind() {
      case .result: isError = false
      case .error: isError = true
      default: throw .invalidValue(field: "kind")
      }
      return AnswerHeader(isError: isError, id: try reader.uint())
    }
    try reader.finish()
  }
}

/// The header of a publication or an announcement.
struct PublicationHeader: Sendable {
  let isAnnouncement: Bool
  let incarnation: UInt64
  /// The message's number; in an announcement, the latest one's.
  let sequence: UInt64

  var frame: [UInt8] {
    var writer = CBORWriter(reservingBytes: 24)
    writer.array(4)
    writer.write(BusFrames.version)
    writer.write(isAnnouncement ? BusFrames.Kind.announce.rawValue : BusFrames.Kind.message.rawValue)
    writer.write(incarnation)
    writer.write(sequence)
    return writer.bytes
  }
}

extension PublicationHeader {
  init(frame: [UInt8]) throws(WireError) {
    var reader = try CBORReader(frame, limits: BusFrames.headerLimits)
    self = try reader.record(4) { (reader) throws(WireError) in
      let isAnnouncement: Bool
      switch try reader.busKind() {
      case .message: isAnnouncement = false
      case .announce: isAnnouncement = true
      default: throw .invalidValue(field: "kind")
      }
      return PublicationHeader(
        isAnnouncement: isAnnouncement, incarnation: try reader.uint(), sequence: try reader.sequence())
    }
    try reader.finish()
  }
}

/// The body of a fetch.
struct FetchQuery: Hashable, Sendable, WireCodable {
  let topic: Topic
  let from: UInt64
  let count: UInt64

  init(topic: Topic, from: UInt64, count: UInt64) {
    self.topic = topic
    self.from = from
    self.count = count
  }

  func encode(to writer: inout CBORWriter) {
    writer.array(3)
    writer.write(topic)
    writer.write(from)
    writer.write(count)
  }

  init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(3) { (reader) throws(WireError) in
      FetchQuery(topic: try reader.value(), from: try reader.sequence(), count: try reader.uint())
    }
  }
}

/// The answer to a fetch.
struct FetchedMessages: Hashable, Sendable, WireCodable {
  let incarnation: UInt64
  let publicationPort: UInt16
  let oldest: UInt64
  let latest: UInt64
  let first: UInt64
  let bodies: [[UInt8]]

  func encode(to writer: inout CBORWriter) {
    writer.array(6)
    writer.write(incarnation)
    writer.write(UInt64(publicationPort))
    writer.write(oldest)
    writer.write(latest)
    writer.write(first)
    writer.array(bodies.count)
    for body in bodies { writer.write(bytes: body) }
  }
}

extension FetchedMessages {
  init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(6) { (reader) throws(WireError) in
      let incarnation = try reader.uint()
      let port = try reader.uint(UInt16.self, field: "publication-port")
      let (oldest, latest, first) = (try reader.sequence(), try reader.sequence(), try reader.sequence())
      // What a truthful publisher can say; the subscriber's arithmetic relies on it.
      guard oldest >= 1, oldest <= latest + 1, first >= oldest else { throw .invalidValue(field: "oldest") }
      let bodies = try reader.array { (reader, count) throws(WireError) in
        var bodies: [[UInt8]] = []
        for _ in 0..<count { bodies.append(try reader.byteString()) }
        return bodies
      }
      guard bodies.isEmpty || first + UInt64(bodies.count) <= latest + 1 else { throw .invalidValue(field: "first") }
      return FetchedMessages(
        incarnation: incarnation, publicationPort: port, oldest: oldest, latest: latest, first: first, bodies: bodies)
    }
  }
}

extension CBORReader {
  fileprivate mutating func busKind() throws(WireError) -> BusFrames.Kind {
    guard try uint() == BusFrames.version else { throw .invalidValue(field: "version") }
    guard let kind = BusFrames.Kind(rawValue: try uint()) else { throw .invalidValue(field: "kind") }
    return kind
  }

  /// A message number, far enough from the end of `UInt64` that adding counts to it cannot overflow.
  fileprivate mutating func sequence() throws(WireError) -> UInt64 {
    let value = try uint()
    guard value <= UInt64(Int64.max) else { throw .invalidValue(field: "sequence") }
    return value
  }
}
