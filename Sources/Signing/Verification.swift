/// One signature that must hold for a value to be true.
public struct SignatureCheck: Hashable, Sendable {
  public let key: PublicKey
  /// The Sig_structure that was signed.
  public let message: [UInt8]
  public let signature: Signature

  /// Identifies the check in a cache of checks that held.
  public var digest: Digest { Digest(label: "check", key.bytes, signature.bytes, message) }
}

/// Why a value was refused before any core saw it. Drop it, count it, answer nobody.
public enum VerificationError: Error, Equatable, Sendable {
  /// The kind of payload, or the role that signed it, is not one expected here.
  case unexpected(String)
  /// A signature does not hold.
  case badSignature(signer: PublicKey)
  /// A payload inside a signed envelope is not what its kind says.
  case malformed(String)
  /// A certificate has fewer than a quorum of distinct members, or names one that is none.
  case noQuorum
  /// Signed by members of an era that is not known here: whoever gets it is behind, and nobody is to blame.
  case unknownEra(UInt64)
}

/// What signatures are checked against.
public struct VerificationContext: Hashable, Sendable {
  public let network: Digest
  public let scheme: SignatureScheme
  /// The voting members of every era that is known, from the first on, each in member order.
  private var eras: [[PublicKey]]

  /// - Parameter members: of the first era, in member order.
  public init(network: Digest, scheme: SignatureScheme, members: [PublicKey]) {
    self.network = network
    self.scheme = scheme
    eras = [members]
  }

  /// Nil for an era that is not known (yet).
  public func members(of era: UInt64) -> [PublicKey]? { era < UInt64(eras.count) ? eras[Int(era)] : nil }

  /// Eras known: 0 ..< this.
  public var eraCount: UInt64 { UInt64(eras.count) }

  /// Takes the members of the era after the last known one. Of an era that is known, or lies further ahead, nothing
  /// changes. To be said only of what a final block states.
  public mutating func learn(members: [PublicKey], of era: UInt64) {
    if era == eraCount { eras.append(members) }
  }
}

/// A value made of signed parts: it lists the checks that make it true. The cheap refusals (structure, kind,
/// counts, roles) come first and throw; nothing is verified here.
public protocol Verifiable: Sendable {
  func signatureChecks(in context: VerificationContext) throws(VerificationError) -> [SignatureCheck]
}

/// Proof that every signature in `value` holds. Only ``Verifier`` makes one, so a core that takes a `Verified`
/// cannot be handed unverified bytes by mistake.
public struct Verified<Value: Sendable>: Sendable {
  public let value: Value
  init(_ value: Value) { self.value = value }

  /// A part of a verified value, or a view of it, is verified too.
  public func map<Part: Sendable, Failure: Error>(_ part: (Value) throws(Failure) -> Part) throws(Failure) -> Verified<
    Part
  > {
    Verified<Part>(try part(value))
  }
}

/// Checks signatures. Each verifier belongs to one member or one party and remembers the checks that held, so a
/// transaction seen on submission is not verified again inside a block; members never share one.
public struct Verifier: Sendable {
  public private(set) var context: VerificationContext
  private var held: RecentSet

  /// - Parameter rememberedChecks: how many checks that held are remembered, at most twice this many at a time.
  public init(context: VerificationContext, rememberedChecks: Int = 16_384) {
    self.context = context
    held = RecentSet(generationSize: rememberedChecks)
  }

  /// Votes of the next era hold under these keys from now on.
  public mutating func learn(members: [PublicKey], of era: UInt64) { context.learn(members: members, of: era) }

  public mutating func verify<Value: Verifiable>(_ value: Value) throws(VerificationError) -> Verified<Value> {
    for check in try value.signatureChecks(in: context) {
      let digest = check.digest
      if held.contains(digest) { continue }
      guard check.key.isValid(check.signature, over: check.message, scheme: context.scheme) else {
        throw .badSignature(signer: check.key)
      }
      held.insert(digest)
    }
    return Verified(value)
  }

  /// The checks of `value` that this verifier has not seen hold, for verification elsewhere in parallel.
  public func pendingChecks<Value: Verifiable>(_ value: Value) throws(VerificationError) -> [SignatureCheck] {
    try value.signatureChecks(in: context).filter { !held.contains($0.digest) }
  }

  /// Whether one check holds: pure, for use on any thread.
  public static func holds(_ check: SignatureCheck, scheme: SignatureScheme) -> Bool {
    check.key.isValid(check.signature, over: check.message, scheme: scheme)
  }

  /// A value this party signed itself needs no check of its own signature: the checks are remembered as held.
  public mutating func remember<Value: Verifiable>(ownValue value: Value) throws(VerificationError) -> Verified<Value> {
    for check in try value.signatureChecks(in: context) { held.insert(check.digest) }
    return Verified(value)
  }
}

/// A bounded set that forgets the oldest: two generations, the older dropped when the newer is full.
struct RecentSet: Sendable {
  private var newer: Set<Digest> = []
  private var older: Set<Digest> = []
  private let generationSize: Int

  init(generationSize: Int) { self.generationSize = generationSize }

  func contains(_ digest: Digest) -> Bool { newer.contains(digest) || older.contains(digest) }

  mutating func insert(_ digest: Digest) {
    if newer.count >= generationSize {
      older = newer
      newer = []
    }
    newer.insert(digest)
  }
}
