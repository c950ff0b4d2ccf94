import Effects
import Messages
import Signing

/// How a customer's enclaves come onto the ledger, and stay there.
extension CustomerCore {
  /// A registration that ends sooner than this is renewed before it is used.
  static let registrationMargin = Span.seconds(60)

  /// Asks the launcher for evidence over a fresh nonce and puts it on the ledger, unless it stands there already.
  mutating func registerEnclave(_ enclave: Int, _ turn: inout Turn) {
    guard isReady else { return }
    switch registrations[enclave] {
    case .registered(_, let expires) where expires > turn.now + Self.registrationMargin: return
    case .asking: return
    case .submitted(_, let transaction) where transaction.transaction.expiry > tip.height:
      send(transaction, registering: enclave, repeats: 1, &turn)
    case .none, .registered, .submitted:
      registrations[enclave] = .asking
      let id = numbers.next()
      asked[id] = .evidence(enclave: enclave)
      turn.add(
        .request(
          id, to: ActorAddress(.platform, enclaves[enclave]), .getEvidence(nonce: tip.hash),
          deadline: Self.requestDeadline))
    }
  }

  mutating func evidenceArrived(
    _ enclave: Int, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) {
    guard case .success(let message) = result, case .evidence(let envelope) = message.value,
      let evidence = try? envelope.decode(AttestationEvidence.self)
    else { return registerLater(enclave, &turn) }
    if let expires = attested[evidence.receiptKey], expires > turn.now + Self.registrationMargin {
      registrations[enclave] = .registered(evidence.receiptKey, expires: expires)
      return advanceUnblocked(&turn)
    }
    let transaction = sign(.registerEnclave(envelope))
    registrations[enclave] = .submitted(evidence.receiptKey, transaction)
    awaited[transaction.id] = .registration(enclave: enclave)
    send(transaction, registering: enclave, repeats: 0, &turn)
  }

  /// The same bytes again until they stand in a block.
  private mutating func send(
    _ transaction: SignedTransaction, registering enclave: Int, repeats: Int, _ turn: inout Turn
  ) {
    let member = members.member(repeats: repeats)
    let id = numbers.next()
    asked[id] = .registration(to: member)
    turn.add(.request(id, to: member, .submit(transaction), deadline: Self.requestDeadline))
    turn.add(.setTimer(TimerID(Purpose.enclave, UInt64(enclave)), at: turn.now + Self.resend))
  }

  mutating func registered(_ key: PublicKey, _ expires: Instant) {
    attested[key] = expires
    for enclave in registrations.indices {
      guard case .submitted(key, _) = registrations[enclave] else { continue }
      registrations[enclave] = .registered(key, expires: expires)
      registrationBackoffs[enclave].succeeded()
    }
    unblock()
  }

  mutating func registrationRefused(_ enclave: Int, _ result: TransactionResult, _ turn: inout Turn) {
    turn.note("the ledger refused \(enclaves[enclave])'s evidence: \(result.name)", .warning)
    registerLater(enclave, &turn)
  }

  private mutating func registerLater(_ enclave: Int, _ turn: inout Turn) {
    registrations[enclave] = .none
    let pause = registrationBackoffs[enclave].failed()
    turn.add(.setTimer(TimerID(Purpose.enclave, UInt64(enclave)), at: turn.now + pause))
  }

  /// The receipt key to order with; nil when the enclave has to be registered (again) first.
  mutating func receiptKey(of name: String, _ turn: inout Turn) -> PublicKey? {
    guard let enclave = enclaves.firstIndex(of: name) else { return nil }
    if case .registered(let key, let expires) = registrations[enclave],
      expires > turn.now + Self.registrationMargin
    {
      return key
    }
    if case .registered = registrations[enclave] { registerEnclave(enclave, &turn) }
    return nil
  }

  /// The enclave does not know the key that the order names: it was started afresh.
  mutating func forgetRegistration(of name: String, _ turn: inout Turn) {
    guard let enclave = enclaves.firstIndex(of: name), case .registered = registrations[enclave] else { return }
    registrations[enclave] = .none
    registerEnclave(enclave, &turn)
  }
}
