import Messages
import Metering
import Signing
import Testing

/// Evidence is an EAT that every member appraises itself.
struct AttestationTests {
  let platform: SigningKey
  let nonce = Digest(hashing: [3])

  init() throws { platform = try Samples.key(30) }

  private func evidence() throws -> AttestationEvidence {
    AttestationEvidence(
      nonce: nonce, measurement: Digest(hashing: [4]), receiptKey: try Samples.key(1).publicKey,
      platform: platform.publicKey, bootCount: 2, level: .software)
  }

  private func refusal(
    _ policy: AppraisalPolicy? = nil, signedBy key: SigningKey? = nil,
    _ change: (inout AttestationEvidence) -> Void = { _ in }
  ) throws -> AppraisalError? {
    var evidence = try evidence()
    change(&evidence)
    let envelope = Envelope(signing: evidence, with: key ?? platform, network: Samples.network)
    do throws(AppraisalError) {
      _ = try (policy ?? AppraisalPolicy(platforms: [platform.publicKey])).appraise(envelope) { $0 == nonce }
      return nil
    } catch {
      return error
    }
  }

  @Test func itIsOneCanonicalMapOfClaims() throws {
    let evidence = try evidence()
    let bytes = evidence.encoded
    #expect(try AttestationEvidence(decoding: bytes) == evidence)
    #expect(bytes.first == 0xA7, "a map of seven claims")
    for index in bytes.indices where index < 8 {
      var changed = bytes
      changed[index] ^= 0x40
      #expect(throws: (any Error).self, "byte \(index)") { try AttestationEvidence(decoding: changed) }
    }
    // An unknown level is refused, not read as the lowest.
    var unknown = bytes
    unknown[unknown.count - 1] = 9
    #expect(throws: (any Error).self) { try AttestationEvidence(decoding: unknown) }
  }

  @Test func whatIsRefused() throws {
    #expect(try refusal() == nil)
    #expect(try refusal(signedBy: Samples.key(31)) == .wrongSigner)
    #expect(try refusal(AppraisalPolicy(platforms: [])) == .unknownPlatform)
    #expect(try refusal { $0.nonce = Digest(hashing: [9]) } == .staleNonce)
    #expect(try refusal { $0.debugStatus = .enabled } == .debuggable)
    let other = Envelope(
      signing: EpochCommitment(
        activation: Samples.activation, epoch: 0, side: .customer, receipts: .zero, previousRecord: .zero),
      with: platform, network: Samples.network)
    #expect(throws: AppraisalError.malformed) {
      try AppraisalPolicy(platforms: [platform.publicKey]).appraise(other) { _ in true }
    }
  }

  @Test func theContractSaysWhichCodeMayCount() throws {
    var terms = try Samples.terms([])
    terms.metering.allowedMeasurements = [Digest(hashing: [4])]
    #expect(throws: Never.self) { try terms.metering.admit(measurement: Digest(hashing: [4]), level: .software) }
    #expect(throws: AppraisalError.measurementNotAllowed) {
      try terms.metering.admit(measurement: Digest(hashing: [5]), level: .software)
    }
  }
}
