import CSodium
import Synchronization
import Wire

/// How signatures are made in one network. Chosen in its genesis; real nodes refuse ``simulated``.
public enum SignatureScheme: UInt8, Sendable, CaseIterable {
  /// Ed25519 (RFC 8032) by libsodium.
  case ed25519 = 1
  /// A hash under the public key, same sizes: proves nothing, costs a microsecond. For the simulator only, where
  /// real signatures would cap a seed at seconds of virtual time.
  case simulated = 2
}

/// A verification key. For ``SignatureScheme/ed25519`` the 32 bytes of RFC 8032.
public struct PublicKey: Bytes32Representable {
  public let value: Bytes32
  public init(value: Bytes32) { self.value = value }
}

/// 64 bytes, whatever the scheme.
public struct Signature: Hashable, Sendable, WireCodable {
  public static let byteCount = 64
  public let bytes: [UInt8]

  /// - Returns: nil unless there are exactly 64 bytes.
  public init?(_ bytes: [UInt8]) {
    guard bytes.count == Self.byteCount else { return nil }
    self.bytes = bytes
  }

  init(unchecked bytes: [UInt8]) { self.bytes = bytes }

  public func encode(to writer: inout CBORWriter) { writer.write(bytes: bytes) }
  public init(from reader: inout CBORReader) throws(WireError) {
    bytes = try reader.byteString(exactly: Self.byteCount, field: "signature")
  }
}

/// Why a key could not be had. The caller stops and tells the user: there is no fallback.
public enum KeyError: Error, Equatable, Sendable {
  /// `sodium_malloc` returned nothing: out of address space or mappings.
  case noGuardedMemory
  /// A seed is 32 bytes.
  case wrongSeedLength(Int)
  /// The other side's X25519 key is a point of small order: drop what it said.
  case weakPeerKey
}

/// Secret keys in memory that is guarded, excluded from core dumps and, where the limit allows, locked
/// (libsodium `sodium_malloc`: guard pages, canary). Many keys share one slab, because a slab costs a page and
/// several mappings: thousands of enclaves in one process must not exhaust them. Freed when the last key goes.
@safe final class KeySlab: @unchecked Sendable {
  // Proof for @unchecked: `base` is written only through `reserve`, under `used`'s mutex, to a slot nobody else has
  // been told of yet; from then on that slot is only read. The memory lives exactly as long as this object.
  static let slots = 64
  private static let slotBytes = Int(crypto_sign_SECRETKEYBYTES)
  private let base: UnsafeMutableRawPointer
  private let used = Mutex<Int>(0)
  let isLocked: Bool

  init() throws(KeyError) {
    Sodium.require()
    guard let memory = unsafe sodium_malloc(Self.slots * Self.slotBytes) else { throw .noGuardedMemory }
    unsafe base = memory
    unsafe isLocked = sodium_mlock(memory, Self.slots * Self.slotBytes) == 0
  }

  deinit { unsafe sodium_free(base) }

  /// Takes the next free slot and lets `fill` write its 64 bytes. Nil when the slab is full.
  func reserve(_ fill: (UnsafeMutablePointer<UInt8>) -> Void) -> Int? {
    used.withLock { count in
      guard count < Self.slots else { return nil }
      unsafe fill(pointer(count))
      count += 1
      return count - 1
    }
  }

  func pointer(_ slot: Int) -> UnsafeMutablePointer<UInt8> {
    unsafe base.advanced(by: slot * Self.slotBytes).assumingMemoryBound(to: UInt8.self)
  }

  private static let current = Mutex<KeySlab?>(nil)

  /// A slot in the process's open slab, or in a new one.
  static func store(_ fill: (UnsafeMutablePointer<UInt8>) -> Void) throws(KeyError) -> (KeySlab, Int) {
    let result: Result<(KeySlab, Int), KeyError> = current.withLock { open in
      if let slab = open, let slot = unsafe slab.reserve(fill) { return .success((slab, slot)) }
      do throws(KeyError) {
        let slab = try KeySlab()
        open = slab
        guard let slot = unsafe slab.reserve(fill) else { return .failure(.noGuardedMemory) }
        return .success((slab, slot))
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }
}

/// A secret key that can sign and nothing else: the secret stays in guarded memory and is never in an Array.
public struct SigningKey: Sendable {
  public let publicKey: PublicKey
  public let scheme: SignatureScheme
  private let slab: KeySlab
  private let slot: Int

  /// A new key from the operating system's randomness; its seed never leaves guarded memory.
  public static func generate(_ scheme: SignatureScheme = .ed25519) throws(KeyError) -> SigningKey {
    guard scheme == .ed25519 else { return try SigningKey(seed: randomBytes(seedBytes), scheme: scheme) }
    var publicBytes = [UInt8](repeating: 0, count: 32)
    let place = unsafe try KeySlab.store { secret in
      _ = unsafe crypto_sign_keypair(&publicBytes, secret)
    }
    return SigningKey(place, publicBytes, scheme)
  }

  /// The key of a 32-byte seed (RFC 8032 §5.1.5 for Ed25519).
  public init(seed: [UInt8], scheme: SignatureScheme = .ed25519) throws(KeyError) {
    guard seed.count == Self.seedBytes else { throw .wrongSeedLength(seed.count) }
    var publicBytes = [UInt8](repeating: 0, count: 32)
    let place = unsafe try KeySlab.store { secret in
      switch scheme {
      case .ed25519:
        _ = unsafe crypto_sign_seed_keypair(&publicBytes, secret, seed)
      case .simulated:
        publicBytes = Digest(label: "AJIT simulated key", seed).bytes
        for index in 0..<32 { unsafe secret[index] = publicBytes[index] }
      }
    }
    self.init(place, publicBytes, scheme)
  }

  private static let seedBytes = Int(crypto_sign_SEEDBYTES)

  private init(_ place: (slab: KeySlab, slot: Int), _ publicBytes: [UInt8], _ scheme: SignatureScheme) {
    (slab, slot) = place
    self.scheme = scheme
    publicKey = PublicKey(value: Bytes32(publicBytes) ?? .zero)
  }

  /// Whether the memory that holds this key could be locked against swapping (best effort: `RLIMIT_MEMLOCK`).
  public var isLocked: Bool { slab.isLocked }

  func sign(_ message: [UInt8]) -> Signature {
    switch scheme {
    case .ed25519:
      var output = [UInt8](repeating: 0, count: Signature.byteCount)
      _ = unsafe crypto_sign_detached(&output, nil, message, UInt64(message.count), slab.pointer(slot))
      return Signature(unchecked: output)
    case .simulated:
      return SimulatedSignature.make(publicKey, message)
    }
  }
}

/// The simulator's scheme: SHA-256 over key and message, twice, to the size of an Ed25519 signature.
enum SimulatedSignature {
  static func make(_ key: PublicKey, _ message: [UInt8]) -> Signature {
    let first = Digest(label: "AJIT simulated signature", key.bytes, message)
    return Signature(unchecked: first.bytes + Digest(hashing: first.bytes).bytes)
  }
}

extension PublicKey {
  /// Whether `signature` over `message` is this key's. Ed25519 as libsodium checks it: canonical S, no small-order
  /// keys, cofactorless.
  func isValid(_ signature: Signature, over message: [UInt8], scheme: SignatureScheme) -> Bool {
    switch scheme {
    case .ed25519:
      Sodium.require()
      return unsafe crypto_sign_verify_detached(signature.bytes, message, UInt64(message.count), bytes) == 0
    case .simulated:
      return SimulatedSignature.make(self, message) == signature
    }
  }
}
