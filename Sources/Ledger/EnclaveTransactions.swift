import Messages
import Signing

/// RegisterEnclave (RFC 9334: every member is a verifier and appraises the evidence itself).
extension BlockExecution {
  /// Registers a receipt key, or renews its registration by fresh evidence of the same or a later boot.
  mutating func registerEnclave(_ envelope: Envelope, by signer: Signer) throws(Refusal) {
    let owner = try organisation(of: signer, acting: .device, .treasury, .controller)
    let policy = AppraisalPolicy(platforms: state.rules.platformKeys)
    let evidence: AttestationEvidence
    do {
      evidence = try policy.appraise(envelope) { chain.recentBlocks.contains($0) }
    } catch {
      throw .code(.attestationRejected)
    }
    let key = evidence.receiptKey
    // Otherwise one key could stand on both sides of a record.
    try require(state.signer(key) == nil, orElse: .alreadyExists)
    if let known = state.enclave(key) {
      try require(known.owner == owner, orElse: .alreadyExists)
      try require(known.platform == evidence.platform, orElse: .attestationRejected)
      try require(evidence.bootCount >= known.bootCount, orElse: .attestationRejected)
      state.tree.remove(LedgerKey.deadline(known.expires, of: LedgerKey.enclave(key)))
    }
    let expires = chain.clock + state.rules.parameters.attestationLifetime
    let record = EnclaveRecord(
      owner: owner, platform: evidence.platform, measurement: evidence.measurement, level: evidence.level,
      bootCount: evidence.bootCount, expires: expires)
    state.tree.set(LedgerKey.enclave(key), .enclave(record))
    state.tree.set(LedgerKey.deadline(expires, of: LedgerKey.enclave(key)), .index)
    events.append(.enclaveRegistered(key: key, owner: owner, expires: expires))
  }
}
