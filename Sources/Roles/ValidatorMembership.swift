import Consensus
import Effects
import Ledger
import Messages
import Signing

/// Eras, as a validator lives them: members come and go, and a joiner shows that it has caught up.
extension ValidatorCore {
  /// A joiner's proof names a block that may have grown too old until it stands on the ledger: it gives another one
  /// after so many blocks. Half of what the ledger remembers at the least nonce age in use.
  static let readinessInterval: Height = 16

  static func addresses(_ era: EraRecord) -> [ActorAddress] {
    era.members.map { ActorAddress(.validator, $0.name) }
  }

  func name(of member: MemberIndex) -> String {
    Int(member) < members.count ? members[Int(member)].name : "member \(member)"
  }

  /// The final block that was just executed ended an era.
  mutating func begin(_ next: EraRecord, _ turn: inout Turn) {
    members = Self.addresses(next)
    readings = [:]
    turn.add(.recognise(next))
    // Keys that signed what waits may sign nothing any more.
    mempool.purge(executions.final)
  }

  /// The answer to a question: only one for final blocks has any use here. Who is no member is answered like any
  /// reader of the ledger.
  mutating func answered(
    _ id: RequestID, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) {
    if joined(by: id, result, &turn) { return }
    guard let asked = readings.removeValue(forKey: id), case .success(let message) = result,
      case .consensus(let content) = message.value, case .segments = content
    else { return }
    let member = members.firstIndex(of: asked).map { MemberIndex($0) }
    drive(.received(message.map { _ in content }, from: member), &turn)
  }

  /// Says that this joiner has executed the chain up to its latest final block, if the ledger waits for that.
  mutating func proveReady(_ turn: inout Turn) {
    guard consensus.hasCaughtUp, let pending = executions.final.pendingChange,
      let key = configuration.keys.first(where: { key in
        pending.change.joining.contains { $0.key == key.publicKey } && !pending.ready.contains(key.publicKey)
      })
    else { return }
    let height = executions.final.height
    if let readyAt, height < readyAt + Self.readinessInterval { return }
    readyAt = height
    let transaction = SignedTransaction(
      signing: Transaction(
        nonce: height, expiry: height + Self.readinessInterval, action: .proveReady(block: executions.finalHash)),
      with: key, network: configuration.genesis.networkID)
    if admit(transaction) == .added { turn.add(.publish(.transactions, .transaction(transaction))) }
  }
}
