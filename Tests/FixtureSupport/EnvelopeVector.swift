import Signing

/// A signed message, its inputs and the bytes at each step on the way. All byte strings are hexadecimal.
public struct EnvelopeVector: Codable, Sendable {
  public var name: String
  /// RFC 8032 seed of the signer.
  public var seed: String
  public var publicKey: String
  /// SHA-256 of the genesis.
  public var network: String
  public var kind: UInt16
  public var version: UInt8
  /// False for votes, whose protected header has no key.
  public var namesSigner: Bool
  /// Canonical CBOR.
  public var payload: String
  /// The COSE external_aad: `["AJIT", network, kind, version]`.
  public var externalAAD: String
  /// The COSE_Sign1 message with tag 18.
  public var envelope: String
  /// SHA-256 of `envelope`.
  public var digest: String

  /// Signs `payload` with the key of `seed`.
  public init<Payload: SignedPayload>(
    _ name: String, signing payload: Payload, seed: [UInt8], network: Digest, namesSigner: Bool = true
  ) throws {
    let key = try SigningKey(seed: seed)
    let made =
      namesSigner
      ? Envelope(signing: payload, with: key, network: network)
      : Envelope(anonymouslySigning: payload, with: key, network: network)
    let domain = SigningDomain(network: network, kind: Payload.kind, version: Payload.version)
    self.name = name
    self.seed = Hexadecimal.encode(seed)
    publicKey = key.publicKey.hexadecimal
    self.network = network.hexadecimal
    kind = Payload.kind
    version = Payload.version
    self.namesSigner = namesSigner
    self.payload = Hexadecimal.encode(made.payload)
    externalAAD = Hexadecimal.encode(domain.externalAAD)
    envelope = Hexadecimal.encode(made.bytes)
    digest = made.digest.hexadecimal
  }
}
