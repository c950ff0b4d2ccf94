import Messages
import Signing

/// What a core lets people and metrics know. Nothing depends on anybody listening.
public enum Observation: Sendable {
  /// A block became final at this member.
  case blockFinal(height: Height, view: View, transactions: Int, blockTime: Instant)
  /// A step of one activation, as the party that reports it sees it.
  case activation(ActivationID, ActivationStep)
  /// Both signatures stand on the record of an epoch.
  case epochRecorded(ActivationID, JointRecord)
  /// Something refused or lost, counted by name.
  case counted(String, by: UInt64)
  /// A line for the log.
  case note(Severity, String)

  public enum Severity: Sendable { case information, warning }
}

/// The path of one activation, in order.
public enum ActivationStep: Sendable {
  /// The customer signed and sent its Activate. `label` is the topology's name for it.
  case submitted(label: String, contract: ContractID, customer: String)
  /// The order stands FINAL on the ledger.
  case requested
  /// The controller found a slice (or not) and said so to the ledger.
  case sliceFound(Digest)
  case sliceRejected(RejectionReason, RecommendedRequirements?)
  /// ConfirmSlice is FINAL; epoch 0 begins at the instant named.
  case reserved(startAt: Instant)
  /// Enclave and edge agreed on keys and addresses.
  case flowOpen
  case serving
  /// An edge closed an epoch in which it dropped packets that the contract does not allow.
  case droppedByPolicy(epoch: EpochNumber, packets: UInt64)
  /// The last epoch is recorded.
  case delivered
  case settlementProposed
  /// A final state, with its money.
  case ended(ActivationChange)
  /// The ledger or an actor refused the activation; nothing is locked.
  case refused(String)
}
