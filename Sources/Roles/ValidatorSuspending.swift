import Effects
import Ledger
import Messages
import Signing

/// What becomes of a convicted member, where the network's rule is suspension
/// (``NetworkParameters/suspendsConvicted``): it leaves at the next era by a change that a quorum of the others
/// approves. Everybody makes the same change out of the same ledger, signs it and tells the others; whoever holds a
/// quorum's signatures brings it. So that operators remain a quorum, regulators step back with it, the last first:
/// three of four operators and one of two regulators.
extension ValidatorCore {
  /// An approval is told again this often while it is missing somewhere.
  static let approvalInterval = Span.seconds(2)
  /// Changes of which others' approvals are kept.
  static let maximumSuspensions = 16

  /// Approvals of one change: by whom, in order of arrival.
  struct Suspension: Sendable {
    var approvals: [Envelope] = []
    var toldAt: Instant?
    var transaction: SignedTransaction?
  }

  /// The change that the ledger calls for; nil while nobody among the members is convicted, or none could leave.
  var dueSuspension: MemberChange? {
    let state = executions.final
    guard state.rules.parameters.suspendsConvicted else { return nil }
    let era = state.era
    let convictions = era.members.compactMap { member in
      state.convictions(of: member.key).first(where: \.isComplete).map { (member.key, $0) }
    }
    guard let (key, record) = convictions.min(by: { ($0.1.height, $0.0) < ($1.1.height, $1.0) }) else { return nil }
    var leaving = [key]
    func remaining() -> [Member] { era.members.filter { !leaving.contains($0.key) } }
    while remaining().count(where: \.leads) < Quorum(members: remaining().count).votes {
      guard let regulator = remaining().last(where: { !$0.leads }) else { return nil }
      leaving.append(regulator.key)
    }
    guard !remaining().isEmpty else { return nil }
    return MemberChange(era: era.era, number: record.height, leaving: leaving, grounds: record.evidence.digest)
  }

  /// Signs what is due, tells it, and brings it once it is approved.
  mutating func suspend(_ turn: inout Turn) {
    guard let change = dueSuspension, executions.final.pendingChange?.change != change else {
      if !suspensions.isEmpty, executions.final.evidence.isEmpty { suspensions = [:] }
      return
    }
    let payload = Digest(hashing: change.encoded)
    var suspension = suspensions[payload] ?? Suspension()
    if isApprover(key.publicKey, of: change) {
      let own = Envelope(signing: change, with: key, network: configuration.genesis.networkID)
      if !suspension.approvals.contains(own) { suspension.approvals.append(own) }
      if suspension.toldAt.map({ turn.now >= $0 + Self.approvalInterval }) ?? true {
        suspension.toldAt = turn.now
        for member in members where member != address {
          turn.add(.request(numbers.next(), to: member, .approval(own), deadline: Self.sendDeadline))
        }
      }
    }
    let approvals = suspension.approvals.filter { $0.signer.map { isApprover($0, of: change) } ?? false }
    let isWaiting = suspension.transaction.map { $0.transaction.expiry > executions.final.height } ?? false
    if approvals.count >= executions.final.era.quorum.votes, !isWaiting {
      let transaction = signed(.changeMembers(approvals: approvals), about: payload)
      suspension.transaction = transaction
      if admit(transaction) == .added { turn.add(.publish(.transactions, .transaction(transaction))) }
    }
    suspensions[payload] = suspension
  }

  private func isApprover(_ key: PublicKey, of change: MemberChange) -> Bool {
    executions.final.era.index(of: key) != nil && !change.leaving.contains(key)
  }

  /// Another member's signature under a change.
  mutating func approved(_ token: ReplyToken, _ approval: Envelope, _ turn: inout Turn) {
    turn.add(.reply(token, .acknowledged))
    guard let signer = approval.signer, executions.final.era.index(of: signer) != nil,
      let change = try? approval.decode(MemberChange.self), change.era >= executions.final.era.era
    else { return }
    let payload = Digest(hashing: approval.payload)
    guard suspensions[payload] != nil || suspensions.count < Self.maximumSuspensions,
      suspensions[payload]?.approvals.contains(where: { $0.signer == signer }) != true
    else { return }
    suspensions[payload, default: Suspension()].approvals.append(approval)
  }
}
