import Messages
import Signing

/// Where a record stands in the state tree: one byte for the kind, then the identity, numbers in big-endian order so
/// that the tree's order is theirs. Clients build the same keys to check proofs of presence, absence and ranges.
public enum LedgerKey {
  /// The chain's clock and what belongs to it.
  public static let chain: [UInt8] = [0x01]
  /// All money there is.
  public static let totals: [UInt8] = [0x02]
  /// The peaks of the log of ended activations.
  public static let archive: [UInt8] = [0x03]
  /// A member change that waits for its joiners.
  public static let pendingChange: [UInt8] = [0x04]

  static let accountPrefix: [UInt8] = [0x10]
  static let accountNamePrefix: [UInt8] = [0x11]
  static let rolePrefix: [UInt8] = [0x12]
  static let maintenancePrefix: [UInt8] = [0x13]
  static let eraPrefix: [UInt8] = [0x14]
  static let contractPrefix: [UInt8] = [0x20]
  static let enclavePrefix: [UInt8] = [0x30]
  static let activationPrefix: [UInt8] = [0x40]
  static let endedPrefix: [UInt8] = [0x41]
  static let noncePrefix: [UInt8] = [0x50]
  static let expiryPrefix: [UInt8] = [0x51]
  static let deadlinePrefix: [UInt8] = [0x60]
  static let evidencePrefix: [UInt8] = [0x70]
  static let measurePrefix: [UInt8] = [0x71]
  static let freezePrefix: [UInt8] = [0x72]

  public static func account(_ id: OrganisationID) -> [UInt8] { accountPrefix + id.bytes }
  public static func accountName(_ name: String) -> [UInt8] { accountNamePrefix + Array(name.utf8) }
  public static func role(_ key: PublicKey) -> [UInt8] { rolePrefix + key.bytes }
  /// What an operator announced.
  public static func maintenance(_ id: OrganisationID) -> [UInt8] { maintenancePrefix + id.bytes }
  /// A member set; those of past eras stay, so that what their members signed can be checked.
  public static func era(_ number: Era) -> [UInt8] { eraPrefix + bigEndian(number) }
  public static func contract(_ id: ContractID) -> [UInt8] { contractPrefix + id.bytes }
  public static func enclave(_ key: PublicKey) -> [UInt8] { enclavePrefix + key.bytes }
  public static func activation(_ id: ActivationID) -> [UInt8] { activationPrefix + id.bytes }
  /// What remains for a while of an activation that ended.
  public static func ended(_ id: ActivationID) -> [UInt8] { endedPrefix + id.bytes }
  public static func nonce(_ sender: PublicKey, _ nonce: UInt64) -> [UInt8] {
    noncePrefix + sender.bytes + bigEndian(nonce)
  }

  /// What convicts a member, by whom first, so that all against one key stands together.
  public static func evidence(_ conviction: Conviction) -> [UInt8] {
    evidencePrefix + conviction.signer.bytes + bigEndian(conviction.era) + bigEndian(conviction.view)
      + [conviction.kind.rawValue]
  }
  /// What regulators ordered, by the order's digest.
  public static func measure(_ order: Digest) -> [UInt8] { measurePrefix + order.bytes }
  public static func freeze(_ id: ActivationID) -> [UInt8] { freezePrefix + id.bytes }

  /// The index of what is forgotten at a height: the other record's key follows.
  static func expiry(_ height: Height, of key: [UInt8]) -> [UInt8] { expiryPrefix + bigEndian(height) + key }
  static func expiredKey(_ indexKey: [UInt8]) -> [UInt8] { Array(indexKey.dropFirst(expiryPrefix.count + 8)) }

  /// The index of deadlines, in (deadline, id) order: the key of what it is the deadline of follows.
  static func deadline(_ instant: Instant, of key: [UInt8]) -> [UInt8] {
    deadlinePrefix + bigEndian(instant.nanoseconds) + key
  }
  static func deadlineSubject(_ indexKey: [UInt8]) -> [UInt8] { Array(indexKey.dropFirst(deadlinePrefix.count + 8)) }

  static func bigEndian(_ value: UInt64) -> [UInt8] {
    stride(from: UInt64(56), through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> $0) }
  }
}
