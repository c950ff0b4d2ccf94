import Messages
import Signing

/// RegisterEnclave (RFC 9334: every member is the verifier and appraises the evidence itself).
extension BlockExecution {
  mutating func registerEnclave(_ evidence: Envelope, by signer: Signer) throws(Refusal) {
    throw .code(.attestationRejected)
  }
}
