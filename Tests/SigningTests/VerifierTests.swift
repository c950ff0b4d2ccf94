import Testing
import Wire

@testable import Signing

/// An envelope that somebody claims is true.
private struct Claim: Verifiable {
  var envelope: Envelope
  func signatureChecks(in context: VerificationContext) throws(VerificationError) -> [SignatureCheck] {
    guard let check = envelope.check(network: context.network) else { throw .unexpected("a claim names its signer") }
    return [check]
  }
}

struct VerifierTests {
  let context = VerificationContext(network: Digest(hashing: [1]), scheme: .ed25519, members: [])

  private func claim(_ number: UInt64) throws -> Claim {
    let key = try SigningKey(seed: [UInt8](repeating: 9, count: 32))
    return Claim(envelope: Envelope(signing: Note(number: number, text: ""), with: key, network: context.network))
  }

  @Test func whatHoldsIsCheckedOnce() throws {
    var verifier = Verifier(context: context)
    let claim = try claim(1)
    #expect(try verifier.pendingChecks(claim).count == 1)
    _ = try verifier.verify(claim)
    #expect(try verifier.pendingChecks(claim).isEmpty)
  }

  @Test func whatDoesNotHoldIsNeverRemembered() throws {
    var verifier = Verifier(context: context)
    let good = try claim(1).envelope
    let forged = Claim(
      envelope: Envelope(
        kind: good.kind, version: good.version, signer: good.signer, payload: Note(number: 2, text: "").encoded,
        signature: good.signature))
    let signer = try #require(good.signer)
    for _ in 0..<2 {
      #expect(throws: VerificationError.badSignature(signer: signer)) { _ = try verifier.verify(forged) }
    }
  }

  @Test func structureIsRefusedFirst() throws {
    var verifier = Verifier(context: context)
    let key = try SigningKey(seed: [UInt8](repeating: 9, count: 32))
    let vote = Envelope(anonymouslySigning: Note(number: 1, text: ""), with: key, network: context.network)
    #expect(throws: VerificationError.self) { _ = try verifier.verify(Claim(envelope: vote)) }
  }

  /// The memory of checks is bounded: after two generations the oldest is forgotten, and checked again.
  @Test func theMemoryIsBounded() throws {
    var verifier = Verifier(context: context, rememberedChecks: 2)
    let claims = try (0..<5).map { try claim(UInt64($0)) }
    for claim in claims { _ = try verifier.verify(claim) }
    #expect(try verifier.pendingChecks(claims[0]).count == 1)
    #expect(try verifier.pendingChecks(claims[4]).isEmpty)
    _ = try verifier.verify(claims[0])
  }
}
