import FixtureSupport
import Messages
import Signing
import Testing
import Wire

/// The wire format, pinned: golden bytes of one message and one action of each number, and for every record the hash
/// over many generated encodings. A change shows here first; `AJIT_RECORD_FIXTURES=1` records it, on purpose.
@Suite struct EncodingTests {
  struct MessageVector: Encodable {
    var number: UInt8
    var name: String
    /// Canonical CBOR.
    var bytes: String
  }

  struct RecordVector: Encodable {
    var type: String
    var samples: Int
    var totalBytes: Int
    /// SHA-256 over all samples' encodings, one after the other.
    var digest: String
  }

  @Test func everyMessageHasItsGoldenBytes() throws {
    var draw = Draw(seed: 1)
    let messages = Message.every(&draw)
    #expect(messages.map(\.number) == messages.map(\.number).sorted(), "in order of their numbers")
    #expect(Set(messages.map(\.number)).count == messages.count)
    try Fixtures.check(
      "bus-messages", about: "One message of each number on the bus: `[number, body]`.",
      try messages.map {
        let again = try Message(decoding: $0.encoded)
        #expect(again == $0)
        return MessageVector(number: $0.number, name: $0.name, bytes: Hexadecimal.encode($0.encoded))
      })
  }

  @Test func everyActionHasItsGoldenBytes() throws {
    var draw = Draw(seed: 2)
    let actions = Action.every(&draw)
    #expect(actions.map(\.number) == actions.map(\.number).sorted(), "in order of their numbers")
    #expect(Set(actions.map(\.number)).count == actions.count)
    try Fixtures.check(
      "actions", about: "One action of each number: `[number, fields…]`.",
      try actions.map {
        let again = try Action(decoding: $0.encoded)
        #expect(again == $0)
        return MessageVector(number: $0.number, name: $0.name, bytes: Hexadecimal.encode($0.encoded))
      })
  }

  /// No number is missing from the lists above: every number decodes to a listed kind or to nothing.
  @Test func theListsAreComplete() throws {
    var draw = Draw(seed: 3)
    let messages = Set(Message.every(&draw).map { UInt64($0.number) })
    let actions = Set(Action.every(&draw).map { UInt64($0.number) })
    for number in UInt64(0)...255 {
      var writer = CBORWriter()
      writer.array(2)
      writer.write(number)
      writer.write("no body of any message")
      #expect(error(decoding: writer.bytes, as: Message.self) == "message number" || messages.contains(number))
      writer = CBORWriter()
      writer.array(1)
      writer.write(number)
      let isKnown = error(decoding: writer.bytes, as: Action.self) != "action \(number)"
      #expect(!isKnown || actions.contains(number))
    }
  }

  private func error<Value: WireCodable>(decoding bytes: [UInt8], as type: Value.Type) -> String? {
    do {
      _ = try Value(decoding: bytes)
      return nil
    } catch WireError.invalidValue(let field) {
      return field
    } catch {
      return "\(error)"
    }
  }

  @Test func everyRecordKeepsItsEncoding() throws {
    try Fixtures.check(
      "records", about: "SHA-256 over the encodings of generated samples, per record type (Tests/MessagesTests).",
      try RecordKind.all.map { kind in
        var draw = Draw(seed: 0x5EED)
        var all: [UInt8] = []
        for _ in 0..<RecordKind.samples { all += try kind.roundTrip(&draw) }
        return RecordVector(
          type: kind.name, samples: RecordKind.samples, totalBytes: all.count,
          digest: Digest(hashing: all).hexadecimal)
      })
  }

  /// A strict decoder: what it takes encodes to the same bytes, and no prefix of it is taken.
  @Test(arguments: RecordKind.all) func damagedRecordsAreRefusedOrMeanSomethingElse(_ kind: RecordKind) throws {
    var draw = Draw(seed: 0xDA4A)
    let bytes = try kind.roundTrip(&draw)
    for length in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 64)) {
      #expect(kind.reencoded(Array(bytes[..<length])) == nil)
    }
    #expect(kind.reencoded(bytes + [0]) == nil)
    for _ in 0..<200 {
      var damaged = bytes
      let position = Int(draw.below(UInt64(bytes.count)))
      damaged[position] ^= UInt8(1 << draw.below(8))
      if let again = kind.reencoded(damaged) { #expect(again == damaged) }
    }
  }
}

extension Message {
  /// The case's name.
  fileprivate var name: String { String("\(self)".prefix { $0 != "(" }) }
}

extension Action {
  fileprivate var name: String { String("\(self)".prefix { $0 != "(" }) }
}
