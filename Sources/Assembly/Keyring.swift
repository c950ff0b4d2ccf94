import Messages
import Signing
import Wire

/// The secret keys of the actors that run somewhere. A simulation makes them from its seed; a real node reads them
/// from its key files.
public protocol Keyring {
  /// The key of `owner` in a role, made by ``KeyName``'s text.
  func signingKey(_ name: KeyName) throws -> SigningKey
  /// The key under which an owner agrees on packet tags with others; the same in every life, so that a flow survives
  /// a restart.
  func agreementKey(_ name: KeyName) throws -> KeyAgreementKey
  /// The keys that a validator votes with, oldest first: more than one after its key was rotated, or is about to be.
  func validatorKeys(of owner: String) throws -> [SigningKey]
}

extension Keyring {
  public func validatorKeys(of owner: String) throws -> [SigningKey] { [try signingKey(KeyName(.validator, owner))] }
}

/// Names one secret key: `validator/alpha`, `organisation/hospital` …
public struct KeyName: Hashable, Sendable, CustomStringConvertible {
  public enum Role: String, Sendable, CaseIterable {
    case organisation, validator, controller, edge, treasury, device, platform
  }

  public let role: Role
  public let owner: String

  public init(_ role: Role, _ owner: String) {
    self.role = role
    self.owner = owner
  }

  public var description: String { "\(role.rawValue)/\(owner)" }
}

/// Keys from a seed: for simulations and tests only.
public struct SeededKeyring: Keyring {
  private let seed: UInt64
  private let scheme: SignatureScheme

  public init(seed: UInt64, scheme: SignatureScheme = .simulated) {
    self.seed = seed
    self.scheme = scheme
  }

  public func agreementKey(_ name: KeyName) throws -> KeyAgreementKey {
    try KeyAgreementKey(seed: Digest(label: "AJIT seeded agreement key \(name)", seed.encoded).bytes)
  }

  public func signingKey(_ name: KeyName) throws -> SigningKey {
    try SigningKey(seed: Digest(label: "AJIT seeded key \(name)", seed.encoded).bytes, scheme: scheme)
  }
}
