import Signing
import Wire

/// Why evidence was not accepted. Whoever sent it must get new evidence from its platform.
public enum AppraisalError: Error, Equatable, Sendable {
  /// Not evidence at all, or claims that are not canonical.
  case malformed
  /// Not signed by the platform that it names.
  case wrongSigner
  /// No platform that the genesis endorses.
  case unknownPlatform
  /// The nonce is no recent block of this chain: old evidence, or another network's.
  case staleNonce
  /// The enclave can be read and changed by a debugger.
  case debuggable
  /// A level below the one asked for.
  case levelTooLow
  /// Code or configuration that the contract does not allow.
  case measurementNotAllowed
}

/// What a member holds evidence against (RFC 9334 §8: the appraisal policy for evidence). Pure, so that every member
/// comes to the same result itself.
public struct AppraisalPolicy: Sendable {
  /// Platforms endorsed by the genesis.
  public var platforms: [PublicKey]
  public var minimumLevel: AttestationLevel

  public init(platforms: [PublicKey], minimumLevel: AttestationLevel = .software) {
    self.platforms = platforms
    self.minimumLevel = minimumLevel
  }

  /// Reads evidence whose signature, by the signer that the envelope names, already holds.
  /// - Parameter isRecentBlock: whether a hash is that of an ancestor block young enough to be a nonce.
  /// - Returns: the claims, which hold as far as the platform can be believed.
  public func appraise(
    _ envelope: Envelope, isRecentBlock: (Digest) -> Bool
  ) throws(AppraisalError) -> AttestationEvidence {
    guard let evidence = try? envelope.decode(AttestationEvidence.self) else { throw .malformed }
    guard envelope.signer == evidence.platform else { throw .wrongSigner }
    guard platforms.contains(evidence.platform) else { throw .unknownPlatform }
    guard isRecentBlock(evidence.nonce) else { throw .staleNonce }
    guard evidence.debugStatus != .enabled else { throw .debuggable }
    guard evidence.level >= minimumLevel else { throw .levelTooLow }
    return evidence
  }
}

extension MeteringTerms {
  /// Whether an enclave with this measurement and level may account for the contract.
  public func admit(measurement: Digest, level: AttestationLevel) throws(AppraisalError) {
    guard level >= minimumAttestationLevel else { throw .levelTooLow }
    guard allowedMeasurements.contains(measurement) else { throw .measurementNotAllowed }
  }
}
