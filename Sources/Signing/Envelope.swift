import Wire

/// What a signature is bound to besides its bytes: the external_aad of COSE (RFC 9052 §4.3). Bytes signed for one
/// network, kind or version verify in no other.
public struct SigningDomain: Hashable, Sendable {
  /// SHA-256 of the genesis.
  public let network: Digest
  /// The number of the kind of payload; see `MessageKind` in Messages.
  public let kind: UInt16
  public let version: UInt8

  public init(network: Digest, kind: UInt16, version: UInt8) {
    self.network = network
    self.kind = kind
    self.version = version
  }

  /// `["AJIT", network, kind, version]`
  public var externalAAD: [UInt8] {
    var writer = CBORWriter(reservingBytes: 48)
    writer.array(4)
    writer.write("AJIT")
    writer.write(network)
    writer.write(UInt64(kind))
    writer.write(UInt64(version))
    return writer.bytes
  }
}

/// A payload that someone signs. Kind and version go into the protected header and the signing domain.
public protocol SignedPayload: WireCodable {
  static var kind: UInt16 { get }
  static var version: UInt8 { get }
}

extension SignedPayload {
  public static var version: UInt8 { 1 }
}

/// One COSE_Sign1 message (RFC 9052 §4.2), kept as the bytes that were received. Signed once by its author,
/// forwarded verbatim, verified over these bytes, never re-encoded.
///
///     envelope  = 18([protected, {}, payload, signature])
///     protected = bstr .cbor {1: -8, 3: content, ? 4: key}   ; EdDSA, 60000 + kind·16 + version, signer's public key
///
/// Votes leave out label 4, so that their protected header is constant per kind and a certificate can rebuild each
/// vote from payload, member and signature; everything else names its signer.
public struct Envelope: Hashable, Sendable, WireCodable {
  /// The whole message, verbatim.
  public let bytes: [UInt8]
  public let kind: UInt16
  public let version: UInt8
  /// The signer the protected header names; nil for a vote.
  public let signer: PublicKey?
  public let payload: [UInt8]
  public let signature: Signature

  /// Largest envelope accepted, bytes. A transaction with a joint record and four receipts stays far below.
  public static let maximumBytes = 256 * 1024

  /// Label 3 holds a CoAP Content-Format (RFC 9052 §3.1), 16 bits: these numbers are unregistered, and there is room
  /// for kinds up to 345.
  static let contentBase: UInt64 = 60_000
  static let contentMaximum = UInt64(UInt16.max)
  /// Versions per kind in the content number; beyond them a kind would be read as the next one.
  static let versionsPerKind: UInt64 = 16

  /// SHA-256 over the verbatim bytes: the identity of what was said, signature included.
  public var digest: Digest { Digest(hashing: bytes) }

  /// Signs a payload, naming the signer.
  public init<Payload: SignedPayload>(signing payload: Payload, with key: SigningKey, network: Digest) {
    self.init(signing: payload, with: key, network: network, namesSigner: true)
  }

  /// Signs a payload with the constant protected header of votes: the signer is known from the context.
  public init<Payload: SignedPayload>(anonymouslySigning payload: Payload, with key: SigningKey, network: Digest) {
    self.init(signing: payload, with: key, network: network, namesSigner: false)
  }

  private init<Payload: SignedPayload>(
    signing payload: Payload, with key: SigningKey, network: Digest, namesSigner: Bool
  ) {
    let signer = namesSigner ? key.publicKey : nil
    let protected = Self.protectedHeader(kind: Payload.kind, version: Payload.version, signer: signer)
    let encoded = payload.encoded
    let domain = SigningDomain(network: network, kind: Payload.kind, version: Payload.version)
    let signature = key.sign(Self.signatureInput(protected: protected, domain: domain, payload: encoded))
    self.init(
      kind: Payload.kind, version: Payload.version, signer: signer, payload: encoded, signature: signature)
  }

  /// Rebuilds an envelope from its parts, byte for byte as its author made it.
  public init(kind: UInt16, version: UInt8, signer: PublicKey?, payload: [UInt8], signature: Signature) {
    self.kind = kind
    self.version = version
    self.signer = signer
    self.payload = payload
    self.signature = signature
    var writer = CBORWriter(reservingBytes: payload.count + 128)
    writer.tag(18)
    writer.array(4)
    writer.write(bytes: Self.protectedHeader(kind: kind, version: version, signer: signer))
    writer.map(0)
    writer.write(bytes: payload)
    writer.write(signature)
    bytes = writer.bytes
  }

  /// Parses the structure; says nothing about the signature. The length is checked before anything else.
  public init(bytes: [UInt8]) throws(WireError) {
    guard bytes.count <= Self.maximumBytes else { throw .overLimit(at: 0, limit: Self.maximumBytes) }
    try self.init(decoding: bytes)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    let start = reader.offset
    try reader.tag(18)
    let fields = try reader.record(4) { (reader) throws(WireError) in
      let header = try reader.byteString(maximum: 64)
      try reader.map(maximum: 0) { (_, _) throws(WireError) in }
      let payload = try reader.byteString(maximum: Self.maximumBytes)
      return (header, payload, try Signature(from: &reader))
    }
    (kind, version, signer) = try Self.parseProtected(fields.0)
    payload = fields.1
    signature = fields.2
    bytes = reader.bytes(since: start)
    guard bytes.count <= Self.maximumBytes else { throw .overLimit(at: start, limit: Self.maximumBytes) }
  }

  public func encode(to writer: inout CBORWriter) { writer.append(encoded: bytes) }

  /// Decodes the payload if the kind and version are `Payload`'s.
  public func decode<Payload: SignedPayload>(_ type: Payload.Type = Payload.self) throws(WireError) -> Payload {
    guard kind == Payload.kind, version == Payload.version else { throw .invalidValue(field: "kind") }
    return try Payload(decoding: payload)
  }

  /// The check that makes this envelope true: `key` defaults to the signer it names.
  /// - Returns: nil when it names none and none is given.
  public func check(network: Digest, by key: PublicKey? = nil) -> SignatureCheck? {
    guard let key = key ?? signer else { return nil }
    let domain = SigningDomain(network: network, kind: kind, version: version)
    let protected = Self.protectedHeader(kind: kind, version: version, signer: signer)
    return SignatureCheck(
      key: key, message: Self.signatureInput(protected: protected, domain: domain, payload: payload),
      signature: signature)
  }

  // MARK: COSE

  static func protectedHeader(kind: UInt16, version: UInt8, signer: PublicKey?) -> [UInt8] {
    let content = contentBase + UInt64(kind) * versionsPerKind + UInt64(version)
    precondition(
      version < versionsPerKind && content <= contentMaximum,
      "kind \(kind), version \(version) does not fit the protected header")
    var writer = CBORWriter(reservingBytes: 48)
    writer.map(signer == nil ? 2 : 3)
    writer.write(UInt64(1))
    writer.write(Int64(-8))
    writer.write(UInt64(3))
    writer.write(content)
    if let signer {
      writer.write(UInt64(4))
      writer.write(signer)
    }
    return writer.bytes
  }

  private static func parseProtected(_ bytes: [UInt8]) throws(WireError) -> (UInt16, UInt8, PublicKey?) {
    var reader = try CBORReader(bytes)
    let parsed = try reader.map(maximum: 3) { (reader, count) throws(WireError) in
      guard count == 2 || count == 3 else { throw .invalidValue(field: "protected header") }
      var previous: [UInt8]?
      guard try reader.mapKey(after: &previous) == 1, try reader.int() == -8 else {
        throw .invalidValue(field: "protected header: algorithm must be EdDSA")
      }
      guard try reader.mapKey(after: &previous) == 3 else {
        throw .invalidValue(field: "protected header: content type")
      }
      let content = try reader.uint()
      guard (contentBase...contentMaximum).contains(content) else {
        throw .invalidValue(field: "protected header: content type")
      }
      let kind = UInt16((content - contentBase) / versionsPerKind)
      let version = UInt8((content - contentBase) % versionsPerKind)
      guard count == 3 else { return (kind, version, PublicKey?.none) }
      guard try reader.mapKey(after: &previous) == 4 else { throw .invalidValue(field: "protected header: key") }
      return (kind, version, try PublicKey(from: &reader))
    }
    try reader.finish()
    return parsed
  }

  /// Sig_structure (RFC 9052 §4.4): `["Signature1", protected, external_aad, payload]`.
  static func signatureInput(protected: [UInt8], domain: SigningDomain, payload: [UInt8]) -> [UInt8] {
    var writer = CBORWriter(reservingBytes: payload.count + 128)
    writer.array(4)
    writer.write("Signature1")
    writer.write(bytes: protected)
    writer.write(bytes: domain.externalAAD)
    writer.write(bytes: payload)
    return writer.bytes
  }
}
