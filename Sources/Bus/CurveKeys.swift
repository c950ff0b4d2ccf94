import CZeroMQ
import Glibc
import Signing

/// A CurveZMQ public key (ZeroMQ RFC 26): 32 bytes of Curve25519.
public struct CurvePublicKey: Hashable, Sendable, CustomStringConvertible {
  public let value: Bytes32

  public init(_ value: Bytes32) { self.value = value }

  /// - Returns: nil unless there are exactly 32 bytes.
  public init?(_ bytes: [UInt8]) {
    guard let value = Bytes32(bytes) else { return nil }
    self.value = value
  }

  public var bytes: [UInt8] { value.bytes }
  public var description: String { Hexadecimal.encode(bytes) }
}

/// A CurveZMQ secret key on a page of its own that is left out of core dumps, locked where the limit allows, and wiped
/// at the end. libzmq copies the key into the options of each socket it is set on; those copies are out of our reach.
@safe public final class CurveSecretKey: @unchecked Sendable {
  // Proof for @unchecked: `page` is written in init only, and lives exactly as long as this object.
  static let byteCount = 32
  private let page: UnsafeMutableRawPointer

  /// - Parameter bytes: exactly 32; the caller wipes its own copy.
  /// - Returns: nil for another length or when the system has no page left.
  public init?(_ bytes: [UInt8]) {
    guard bytes.count == Self.byteCount,
      let page = unsafe mmap(nil, Self.byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      unsafe page != MAP_FAILED
    else { return nil }
    unsafe self.page = page
    _ = unsafe madvise(page, Self.byteCount, MADV_DONTDUMP)
    _ = unsafe mlock(page, Self.byteCount)
    unsafe page.copyMemory(from: bytes, byteCount: bytes.count)
  }

  deinit {
    unsafe explicit_bzero(page, Self.byteCount)
    unsafe munmap(page, Self.byteCount)
  }

  func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    unsafe body(UnsafeRawBufferPointer(start: page, count: Self.byteCount))
  }
}

public struct CurveKeyPair: Sendable {
  public let publicKey: CurvePublicKey
  public let secretKey: CurveSecretKey

  public init(publicKey: CurvePublicKey, secretKey: CurveSecretKey) {
    self.publicKey = publicKey
    self.secretKey = secretKey
  }

  /// The pair of a secret that was kept.
  /// - Parameter secret: 32 bytes; the caller wipes its own copy.
  /// - Throws: ``BusError/system(_:)`` for another length, or when libzmq was built without CURVE.
  public init(secret: [UInt8]) throws(BusError) {
    // libzmq wants Z85 text: 40 characters and a zero.
    var secretText = [CChar](repeating: 0, count: 41)
    var publicText = [CChar](repeating: 0, count: 41)
    var publicBytes = [UInt8](repeating: 0, count: 32)
    defer { unsafe explicit_bzero(&secretText, secretText.count) }
    guard let secretKey = CurveSecretKey(secret), unsafe zmq_z85_encode(&secretText, secret, secret.count) != nil,
      unsafe zmq_curve_public(&publicText, &secretText) == 0, unsafe zmq_z85_decode(&publicBytes, publicText) != nil,
      let publicKey = CurvePublicKey(publicBytes)
    else { throw .system("CURVE keys: \(systemReason())") }
    self.init(publicKey: publicKey, secretKey: secretKey)
  }

  /// A fresh pair from libzmq (`zmq_curve_keypair`).
  /// - Throws: ``BusError/system(_:)`` when libzmq was built without CURVE or there is no memory.
  public static func generate() throws(BusError) -> CurveKeyPair {
    // libzmq writes Z85 text: 40 characters and a zero.
    var publicText = [CChar](repeating: 0, count: 41)
    var secretText = [CChar](repeating: 0, count: 41)
    var publicBytes = [UInt8](repeating: 0, count: 32)
    var secretBytes = [UInt8](repeating: 0, count: 32)
    defer {
      unsafe explicit_bzero(&secretText, secretText.count)
      unsafe explicit_bzero(&secretBytes, secretBytes.count)
    }
    guard unsafe zmq_curve_keypair(&publicText, &secretText) == 0,
      unsafe zmq_z85_decode(&publicBytes, publicText) != nil,
      unsafe zmq_z85_decode(&secretBytes, secretText) != nil,
      let publicKey = CurvePublicKey(publicBytes), let secretKey = CurveSecretKey(secretBytes)
    else { throw .system("CURVE keys: \(systemReason())") }
    return CurveKeyPair(publicKey: publicKey, secretKey: secretKey)
  }

  /// Hands the 32 secret bytes to `body`, for a key file. Whoever copies them wipes the copy.
  public func withSecretBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    unsafe secretKey.withBytes(body)
  }
}
