import CSodium

/// libsodium's one initialisation. Every entry point of this module goes through it.
enum Sodium {
  /// True once `sodium_init` has succeeded; libsodium may be used from any thread afterwards.
  static let isReady: Bool = sodium_init() >= 0

  static func require() {
    precondition(isReady, "libsodium could not be initialised: the system has no usable random source")
  }
}

/// Random bytes from the operating system, for shells only: a core takes its randomness as input.
public func randomBytes(_ count: Int) -> [UInt8] {
  Sodium.require()
  var bytes = [UInt8](repeating: 0, count: count)
  unsafe randombytes_buf(&bytes, count)
  return bytes
}
