import FixtureSupport
import Signing
import Testing
import Wire

/// A small payload: a number and a name.
struct Note: SignedPayload, Equatable {
  static let kind: UInt16 = 200
  var number: UInt64
  var text: String

  func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(number)
    writer.write(text)
  }

  init(number: UInt64, text: String) {
    self.number = number
    self.text = text
  }

  init(from reader: inout CBORReader) throws(WireError) {
    (number, text) = try reader.record(2) { (reader) throws(WireError) in (try reader.uint(), try reader.text()) }
  }
}

/// The same bytes under another kind or version.
struct OtherKind: SignedPayload {
  static let kind: UInt16 = 201
  var note: Note
  init(note: Note) { self.note = note }
  func encode(to writer: inout CBORWriter) { note.encode(to: &writer) }
  init(from reader: inout CBORReader) throws(WireError) { note = try Note(from: &reader) }
}

struct OtherVersion: SignedPayload {
  static let kind: UInt16 = 200
  static let version: UInt8 = 2
  var note: Note
  init(note: Note) { self.note = note }
  func encode(to writer: inout CBORWriter) { note.encode(to: &writer) }
  init(from reader: inout CBORReader) throws(WireError) { note = try Note(from: &reader) }
}

struct EnvelopeTests {
  let network = Digest(hashing: Array("a network".utf8))
  let note = Note(number: 7, text: "seven")

  func key(_ number: UInt8, _ scheme: SignatureScheme = .ed25519) throws -> SigningKey {
    try SigningKey(seed: [UInt8](repeating: number, count: 32), scheme: scheme)
  }

  func holds(_ envelope: Envelope, by key: PublicKey? = nil, scheme: SignatureScheme = .ed25519) -> Bool {
    guard let check = envelope.check(network: network, by: key) else { return false }
    return Verifier.holds(check, scheme: scheme)
  }

  @Test(arguments: SignatureScheme.allCases)
  func signedReadAndVerified(scheme: SignatureScheme) throws {
    let key = try key(1, scheme)
    let envelope = Envelope(signing: note, with: key, network: network)
    let received = try Envelope(bytes: envelope.bytes)
    #expect(received == envelope)
    #expect(received.signer == key.publicKey)
    #expect(try received.decode(Note.self) == note)
    #expect(holds(received, scheme: scheme))
    #expect(!holds(received, by: try self.key(2, scheme).publicKey, scheme: scheme))
  }

  @Test func votesNameNobodyAndAreRebuiltByteForByte() throws {
    let key = try key(1)
    let vote = Envelope(anonymouslySigning: note, with: key, network: network)
    let received = try Envelope(bytes: vote.bytes)
    #expect(received.signer == nil)
    #expect(received.check(network: network) == nil)
    #expect(holds(received, by: key.publicKey))
    let rebuilt = Envelope(
      kind: Note.kind, version: 1, signer: nil, payload: note.encoded, signature: received.signature)
    #expect(rebuilt.bytes == vote.bytes)
  }

  /// Whatever bit changes, the structure is refused or the signature does not hold.
  @Test(arguments: [true, false], SignatureScheme.allCases)
  func everyBitCounts(namesSigner: Bool, scheme: SignatureScheme) throws {
    let key = try key(1, scheme)
    let envelope =
      namesSigner
      ? Envelope(signing: note, with: key, network: network)
      : Envelope(anonymouslySigning: note, with: key, network: network)
    let author = namesSigner ? nil : key.publicKey
    #expect(holds(envelope, by: author, scheme: scheme))
    for index in envelope.bytes.indices {
      for bit in 0..<8 {
        var bytes = envelope.bytes
        bytes[index] ^= 1 << UInt8(bit)
        guard let received = try? Envelope(bytes: bytes) else { continue }
        #expect(!holds(received, by: author, scheme: scheme), "byte \(index), bit \(bit)")
      }
    }
  }

  @Test func everyTruncationAndExtensionIsRefused() throws {
    let envelope = Envelope(signing: note, with: try key(1), network: network)
    for count in 0..<envelope.bytes.count {
      #expect(throws: WireError.self) { try Envelope(bytes: Array(envelope.bytes.prefix(count))) }
    }
    #expect(throws: WireError.trailingBytes(at: envelope.bytes.count)) { try Envelope(bytes: envelope.bytes + [0]) }
  }

  @Test func aSignatureHoldsInOneNetworkForOneKindAndVersion() throws {
    let key = try key(1)
    let envelope = Envelope(anonymouslySigning: note, with: key, network: network)
    let elsewhere = try #require(envelope.check(network: Digest(hashing: []), by: key.publicKey))
    #expect(!Verifier.holds(elsewhere, scheme: .ed25519))
    for (kind, version) in [(UInt16(201), UInt8(1)), (200, 2), (199, 15)] {
      let moved = Envelope(
        kind: kind, version: version, signer: nil, payload: envelope.payload, signature: envelope.signature)
      #expect(!holds(moved, by: key.publicKey))
    }
    #expect(throws: WireError.invalidValue(field: "kind")) { try envelope.decode(OtherKind.self) }
    #expect(throws: WireError.invalidValue(field: "kind")) { try envelope.decode(OtherVersion.self) }
    #expect(Envelope(signing: OtherVersion(note: note), with: key, network: network).version == 2)
  }

  @Test func oversizedEnvelopesAreRefusedUnread() {
    let limit = Envelope.maximumBytes
    #expect(throws: WireError.overLimit(at: 0, limit: limit)) {
      try Envelope(bytes: [UInt8](repeating: 0xD2, count: limit + 1))
    }
  }

  /// Headers that COSE allows and this protocol does not: another algorithm, unknown or missing labels,
  /// a content number beyond CoAP's.
  @Test(arguments: [
    "a2012603 19f9f1", "a10127", "a301270319f9f1051864", "a20127031a00010000", "a3012703 19f9f1 0441 00", "a2012703 00",
    "a2032601 27", "a0",
  ])
  func unexpectedHeaders(hexadecimal: String) throws {
    let header = try #require(Hexadecimal.decode(hexadecimal.filter { $0 != " " }))
    var writer = CBORWriter()
    writer.tag(18)
    writer.array(4)
    writer.write(bytes: header)
    writer.map(0)
    writer.write(bytes: note.encoded)
    writer.write(bytes: [UInt8](repeating: 0, count: 64))
    #expect(throws: WireError.self) { try Envelope(bytes: writer.bytes) }
  }

  @Test func unprotectedHeadersAreRefused() throws {
    let envelope = Envelope(signing: note, with: try key(1), network: network)
    var bytes = envelope.bytes
    // In front of the payload with its one-byte head and the signature with its two-byte head.
    let index = bytes.count - (2 + 64) - (1 + envelope.payload.count) - 1
    try #require(bytes[index] == 0xA0)
    bytes.replaceSubrange(index...index, with: [0xA1, 0x04, 0x41, 0x00])
    #expect(throws: WireError.self) { try Envelope(bytes: bytes) }
  }

  @Test func goldenVectors() throws {
    let seed = [UInt8](0..<32)
    let vectors = [
      try EnvelopeVector("names its signer", signing: note, seed: seed, network: network),
      try EnvelopeVector("a vote names nobody", signing: note, seed: seed, network: network, namesSigner: false),
      try EnvelopeVector("another kind", signing: OtherKind(note: note), seed: seed, network: network),
      try EnvelopeVector("version 2", signing: OtherVersion(note: note), seed: seed, network: network),
      try EnvelopeVector("another network", signing: note, seed: seed, network: Digest(hashing: [])),
      try EnvelopeVector(
        "a long payload", signing: Note(number: .max, text: String(repeating: "née ", count: 100)),
        seed: [UInt8](repeating: 0xA5, count: 32), network: network),
    ]
    try Fixtures.check("envelope", about: "COSE_Sign1 envelopes (RFC 9052) with EdDSA and external_aad.", vectors)
    for vector in try Fixtures.load("envelope", as: EnvelopeVector.self) {
      let received = try Envelope(bytes: try #require(Hexadecimal.decode(vector.envelope)))
      let network = try #require(Digest(hexadecimal: vector.network))
      let check = try #require(received.check(network: network, by: PublicKey(hexadecimal: vector.publicKey)))
      #expect(Verifier.holds(check, scheme: .ed25519))
    }
  }
}
