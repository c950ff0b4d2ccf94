import Effects
import Messages
import Signing
import Slicing

/// What the ledger is asked. A lost message costs time, nothing else: the bytes that were sent are sent again, each
/// time to another member, until the ledger has answered or they have expired.
extension ControllerCore {
  mutating func sign(_ action: Action, expiry: Height) -> SignedTransaction {
    SignedTransaction(
      signing: Transaction(nonce: nonces.next(), expiry: expiry, action: action), with: configuration.key,
      network: configuration.genesis.networkID)
  }

  /// Signs and begins to send; a purpose has one transaction at a time.
  mutating func submit(_ action: Action, for purpose: Errand.Purpose, of activation: ActivationID) {
    guard jobs[activation]?.errand(purpose) == nil else { return }
    add(
      Errand(purpose: purpose, transaction: sign(action, expiry: follower.height + Self.carrierLifetime)), activation)
  }

  mutating func add(_ errand: Errand, _ activation: ActivationID) {
    awaited[errand.transaction.id] = activation
    jobs[activation]?.errands.append(errand)
  }

  mutating func remove(_ purpose: Errand.Purpose, _ activation: ActivationID) {
    guard let index = jobs[activation]?.errands.firstIndex(where: { $0.purpose == purpose }) else { return }
    if let errand = jobs[activation]?.errands.remove(at: index) { awaited[errand.transaction.id] = nil }
  }

  /// Sends what is due.
  /// - Returns: when something is due again.
  mutating func advanceErrands(_ activation: ActivationID, _ turn: inout Turn) -> Instant? {
    var wake: Instant?
    for errand in jobs[activation]?.errands ?? [] {
      if errand.transaction.transaction.expiry <= follower.height {
        remove(errand.purpose, activation)
        dropped(errand, .replayed, activation, &turn)
        wake = turn.now
        continue
      }
      var sent = errand
      if turn.now >= errand.notBefore {
        send(errand.transaction, for: activation, repeats: errand.sends, &turn)
        sent.sends += 1
        sent.notBefore = turn.now + Self.resend
        replace(sent, activation)
      }
      wake = earliest(wake, sent.notBefore)
    }
    return wake
  }

  private mutating func replace(_ errand: Errand, _ activation: ActivationID) {
    guard let index = jobs[activation]?.errands.firstIndex(where: { $0.purpose == errand.purpose }) else { return }
    jobs[activation]?.errands[index] = errand
  }

  /// A transaction of ours stands in a block.
  mutating func answered(_ id: Digest, _ result: TransactionResult, _ turn: inout Turn) {
    guard let activation = awaited.removeValue(forKey: id), let job = jobs[activation],
      let errand = job.errands.first(where: { $0.transaction.id == id })
    else { return }
    touched.append(activation)
    remove(errand.purpose, activation)
    switch (errand.purpose, result) {
    case (.settle, .accepted):
      jobs[activation]?.hasPosted = true
      jobs[activation]?.agreementRefused = false
    case (.dispute, .accepted): jobs[activation]?.demands.contradiction = nil
    case (_, .accepted): break
    default: dropped(errand, result, activation, &turn)
    }
  }

  /// Refused or expired: it can never be accepted any more.
  private mutating func dropped(
    _ errand: Errand, _ result: TransactionResult, _ activation: ActivationID, _ turn: inout Turn
  ) {
    turn.note("\(errand.purpose) of \(activation.short) came to nothing: \(result.name)", .warning)
    // What has expired was never judged: it may be said again.
    let isRefused = result != .replayed
    switch errand.purpose {
    case .carry: undo(activation, &turn)
    case .reject: jobs[activation]?.notBefore = turn.now + Self.resend
    case .settle(let agreed):
      if agreed { jobs[activation]?.agreementRefused = true }
      // In CLOSING a record that does not beat the one there is refused once and for all.
      if isRefused, jobs[activation]?.isClosing == true { jobs[activation]?.hasPosted = true }
      if let pause = jobs[activation]?.settlementBackoff.failed() { jobs[activation]?.notBefore = turn.now + pause }
    case .startService, .post, .demand:
      if isRefused, case .startService(let proof) = errand.transaction.transaction.action, proof.record != nil {
        jobs[activation]?.demands.proofRefused = true
      }
      if let pause = jobs[activation]?.demands.backoff.failed() { jobs[activation]?.notBefore = turn.now + pause }
    case .dispute: if isRefused { jobs[activation]?.demands.contradiction = nil }
    }
  }

  mutating func send(
    _ transaction: SignedTransaction, for activation: ActivationID?, repeats: Int, _ turn: inout Turn
  ) {
    let member = members.member(repeats: repeats)
    let id = numbers.next()
    asked[id] = .submission(transaction.id, activation, to: member)
    turn.add(.request(id, to: member, .submit(transaction), deadline: Self.submitDeadline))
  }

  mutating func submitted(
    _ id: Digest, _ activation: ActivationID?, _ member: ActorAddress,
    _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) {
    guard case .failure(let error) = result else { return }
    turn.note("a submission to \(member) failed: \(error)", .warning)
    guard error.isOfThisReceiver else { return }
    members.failed(member)
    guard let activation, var errand = jobs[activation]?.errands.first(where: { $0.transaction.id == id }) else {
      return
    }
    errand.notBefore = turn.now + Self.retry
    replace(errand, activation)
    advance(activation, &turn)
  }
}
