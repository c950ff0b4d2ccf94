import Bus
import Messages
import Wire

/// What the process that started a node tells it: frames (Hosting.LaunchChannel) on the node's standard input, of which
/// the end is the order to stop.
enum NodeOrder: Sendable {
  /// From now on these are in force, and no others.
  case obstruct([Obstruction])

  static let maximumBytes = 4 << 20
}

extension NodeOrder: WireCodable {
  private enum Kind: UInt64 { case obstruct = 1 }

  func encode(to writer: inout CBORWriter) {
    switch self {
    case .obstruct(let obstructions):
      writer.array(2)
      writer.write(Kind.obstruct.rawValue)
      writer.write(list: obstructions.map { WireObstruction(obstruction: $0) })
    }
  }

  init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      guard try reader.uint() == Kind.obstruct.rawValue else { throw .invalidValue(field: "node order") }
      let obstructions: [WireObstruction] = try reader.list(maximum: Obstruction.maximum)
      return .obstruct(obstructions.map(\.obstruction))
    }
  }
}

/// An obstruction on its way to a node.
private struct WireObstruction: WireCodable {
  let obstruction: Obstruction

  private static let maximumActors = 1 << 16

  init(obstruction: Obstruction) { self.obstruction = obstruction }

  func encode(to writer: inout CBORWriter) {
    writer.array(4)
    writer.write(list: obstruction.senders.sorted())
    writer.write(list: obstruction.receivers.sorted())
    writer.write(optional: obstruction.delay?.base)
    writer.write(optional: obstruction.delay?.jitter)
  }

  init(from reader: inout CBORReader) throws(WireError) {
    obstruction = try reader.record(4) { (reader) throws(WireError) in
      let senders: [ActorAddress] = try reader.list(maximum: Self.maximumActors)
      let receivers: [ActorAddress] = try reader.list(maximum: Self.maximumActors)
      let base = try reader.optional(Span.self)
      let jitter = try reader.optional(Span.self)
      return Obstruction(
        senders: Set(senders), receivers: Set(receivers),
        delay: base.map { Obstruction.Delay(base: $0, jitter: jitter ?? .zero) })
    }
  }
}
