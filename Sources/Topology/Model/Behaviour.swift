import Messages

extension Topology {
  /// An actor that does not keep to the protocol: so that demands and disputes can be seen.
  public struct Behaviour: Hashable, Sendable {
    public var actor: ActorAddress
    public var cheat: Cheat
    /// Honest before this epoch of each activation.
    public var fromEpoch: UInt64

    public init(actor: ActorAddress, cheat: Cheat, fromEpoch: UInt64 = 0) {
      self.actor = actor
      self.cheat = cheat
      self.fromEpoch = fromEpoch
    }
  }

  /// What is done wrong. The parties to a contract keep silent: what somebody does not say is never held against it
  /// beyond the contract's consequence (sla.md). Voting members lie as well (`validator/…`, regulators' members too).
  public enum Cheat: String, Sendable, CaseIterable {
    /// The customer's side keeps its receipts to itself, also when they are demanded.
    case withholdReceipts
    /// The edge takes the customer's receipts and keeps its own and the record, also when they are demanded.
    case withholdRecord
    /// The edge forwards nothing and says nothing of the activation, whatever its controller confirmed.
    case noService
    /// The enclave is never heard of after its registration.
    case silentEnclave
    /// The controller confirms nothing and rejects nothing.
    case neverConfirm
    /// The controller signs no agreement at the end.
    case neverAgree
    /// The member contradicts itself: two votes of every kind, two blocks.
    case equivocate
    /// The member nullifies every view.
    case nullifyEverything
    /// The member keeps certificates, blocks and answers to itself.
    case withholdCertificates
    /// The member proposes on blocks that the chain has left behind.
    case proposeStale
    /// The member proposes blocks that execution refutes.
    case proposeInvalid
    /// The member never proposes.
    case neverPropose
    /// The member says and asks everything many times.
    case flood
    /// The member speaks in others' names.
    case impersonate
    /// The member votes in views far ahead.
    case voteFarAhead
    /// The member's blocks are of times to come.
    case bendTime
    /// The member acknowledges what is submitted to it and drops it.
    case forgetSubmissions
    /// The member answers customers falsely.
    case answerFalsely
    /// The regulator orders what it is told to without the others.
    case actAlone
    /// The member runs twice, with one key; each instance knows half of the members.
    case runTwice

    /// Whose behaviour it can be.
    public var role: ActorAddress.Role {
      switch self {
      case .withholdReceipts, .silentEnclave: .enclave
      case .withholdRecord, .noService: .edge
      case .neverConfirm, .neverAgree: .controller
      case .actAlone: .regulator
      case .equivocate, .nullifyEverything, .withholdCertificates, .proposeStale, .proposeInvalid, .neverPropose,
        .flood, .impersonate, .voteFarAhead, .bendTime, .forgetSubmissions, .answerFalsely, .runTwice:
        .validator
      }
    }

    /// Whether only a simulation can show it: the real enclave's executable has no code that cheats, because whoever
    /// relies on its receipts relies on all that is in it.
    public var isSimulatedOnly: Bool { role == .enclave }

    /// Whether honesty can end in the middle of an activation.
    public var hasEpochs: Bool {
      switch self {
      case .withholdReceipts, .withholdRecord, .noService: true
      default: false
      }
    }
  }
}
