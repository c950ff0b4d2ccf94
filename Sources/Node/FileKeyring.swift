import Assembly
import Bus
import Glibc
import Signing
import Topology

/// The secret keys of a node, one file each: `keys/ROLE-NAME.key`, the 32 bytes of its seed as 64 hexadecimal digits,
/// readable by its owner only and refused otherwise.
struct FileKeyring: Keyring, Sendable {
  let directory: String

  /// Makes every key, each in a new file.
  static func create(in directory: String, _ names: [KeyName]) throws(NodeError) {
    try Files.makeDirectory(directory)
    for name in names {
      var seed = randomBytes(32)
      defer { wipe(&seed) }
      try write(seed, to: path(directory, name))
    }
    try Files.synchronizeDirectory(directory)
  }

  /// Takes over keys that were made before, each checked as it is read.
  /// - Parameter curveKeys: names of keys of the bus.
  func copy(to directory: String, _ names: [KeyName], curveKeys: [String] = []) throws(NodeError) {
    try Files.makeDirectory(directory)
    let files = names.map { Self.path("", $0) } + curveKeys.map { "/\($0).key" }
    for file in files {
      var seed = try Self.seed(at: self.directory + file)
      defer { wipe(&seed) }
      try Self.write(seed, to: directory + file)
    }
    try Files.synchronizeDirectory(directory)
  }

  private static func write(_ seed: [UInt8], to path: String) throws(NodeError) {
    var text = Array(Hexadecimal.encode(seed).utf8) + [UInt8(ascii: "\n")]
    defer { wipe(&text) }
    try Files.create(path, text)
  }

  func signingKey(_ name: KeyName) throws -> SigningKey {
    try Self.signingKey(at: Self.path(directory, name))
  }

  static func signingKey(at path: String) throws -> SigningKey {
    var seed = try seed(at: path)
    defer { wipe(&seed) }
    return try keys { () throws(KeyError) in try SigningKey(seed: seed) }
  }

  /// Derived from the seed of the role's signing key, so that it is the same in every life.
  func agreementKey(_ name: KeyName) throws -> KeyAgreementKey {
    var seed = try derived("AJIT agreement key", name)
    defer { wipe(&seed) }
    return try Self.keys { () throws(KeyError) in try KeyAgreementKey(seed: seed) }
  }

  /// The public half of every key of a topology: all of them must be here.
  func publicKeys(of topology: Topology) throws(NodeError) -> KeyDirectory {
    do { return try KeyDirectory(topology, self) } catch let error as NodeError { throw error } catch {
      throw .noRandomness("\(error)")
    }
  }

  // MARK: Rotation

  /// The first key and every later one that was made for a rotation: the era says which of them is the member's.
  func validatorKeys(of owner: String) throws -> [SigningKey] {
    var keys = [try signingKey(KeyName(.validator, owner))]
    while Files.exists(rotationPath(owner, keys.count + 1)) {
      keys.append(try Self.signingKey(at: rotationPath(owner, keys.count + 1)))
    }
    return keys
  }

  /// Makes the key that a validator's next rotation brings in.
  func createNextValidatorKey(of owner: String) throws -> SigningKey {
    let path = rotationPath(owner, try validatorKeys(of: owner).count + 1)
    var seed = randomBytes(32)
    defer { wipe(&seed) }
    try Self.write(seed, to: path)
    try Files.synchronizeDirectory(directory)
    return try Self.signingKey(at: path)
  }

  /// - Parameter number: from 2 on; the first is the role's own file.
  private func rotationPath(_ owner: String, _ number: Int) -> String {
    "\(directory)/rotation-\(number)-\(owner).key"
  }

  // MARK: Keys of the bus

  /// Makes a CURVE key, kept as every other: `NAME.key`.
  func createCurveKey(_ name: String) throws(NodeError) -> CurvePublicKey {
    var secret = randomBytes(32)
    defer { wipe(&secret) }
    try Self.write(secret, to: "\(directory)/\(name).key")
    return try curveKey(name).publicKey
  }

  func curveKey(_ name: String) throws(NodeError) -> CurveKeyPair {
    var secret = try curveSecret(name)
    defer { wipe(&secret) }
    do { return try CurveKeyPair(secret: secret) } catch { throw .bus(error) }
  }

  /// Wipe it after use.
  func curveSecret(_ name: String) throws(NodeError) -> [UInt8] { try Self.seed(at: "\(directory)/\(name).key") }

  /// What seals an enclave's state: only the holder of the platform key can derive it, and for each code another one.
  /// A new build therefore begins with new state and a new receipt key. Wipe it after use.
  func sealingSecret(platform: KeyName, measurement: Digest, enclave: String) throws(NodeError) -> [UInt8] {
    var secret = try seed(platform)
    defer { wipe(&secret) }
    return Digest(label: "AJIT sealing key", secret, measurement.bytes, Array(enclave.utf8)).bytes
  }

  private func derived(_ label: String, _ name: KeyName) throws(NodeError) -> [UInt8] {
    var secret = try seed(name)
    defer { wipe(&secret) }
    return Digest(label: label, secret).bytes
  }

  private static func keys<Key>(_ make: () throws(KeyError) -> Key) throws(NodeError) -> Key {
    do { return try make() } catch { throw .noRandomness("\(error)") }
  }

  private func seed(_ name: KeyName) throws(NodeError) -> [UInt8] {
    try Self.seed(at: Self.path(directory, name))
  }

  private static func seed(at path: String) throws(NodeError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else {
      if errno == ENOENT { throw .keyMissing(path: path) }
      throw Files.failure(path, reading: true)
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw Files.failure(path) }
    let mode = status.st_mode & 0o777
    guard mode & 0o077 == 0 else { throw .keyExposed(path: path, mode: String(mode, radix: 8)) }
    // 64 digits and a newline.
    var text = [UInt8](repeating: 0, count: 66)
    defer { wipe(&text) }
    let count = read(descriptor, &text, text.count)
    guard count == 64 || count == 65 && text[64] == UInt8(ascii: "\n"),
      let seed = Hexadecimal.decode(String(decoding: text[..<64], as: UTF8.self))
    else { throw .keyMalformed(path: path) }
    return seed
  }

  static func path(_ directory: String, _ name: KeyName) -> String {
    "\(directory)/\(name.role.rawValue)-\(name.owner).key"
  }
}
