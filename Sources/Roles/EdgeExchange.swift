import Effects
import Messages
import Metering
import Signing
import Wire

/// The edge and the enclaves it serves: flows and records. Asked again, it answers the same.
extension EdgeCore {
  mutating func openFlow(
    _ token: ReplyToken, _ asker: ActorAddress, _ signed: SignedMessage<FlowOpening>, _ turn: inout Turn
  ) {
    guard let opening = try? signed.payload(), let slot = slots[opening.activation], var service = services[slot],
      let signer = signed.envelope.signer
    else {
      return turn.refuse(token, .notFound, "no service is ordered for this activation")
    }
    guard let index = service.ends.firstIndex(where: { service.order.order.enclave(at: $0.end) == signer }),
      service.ends[index].flow.map({ $0.enclave == asker }) ?? true
    else {
      turn.count("edge.flows.refused")
      return turn.refuse(token, .permissionDenied, "not an enclave that is served here")
    }
    if service.ends[index].flow?.opening != opening {
      guard service.openFlow(opening, by: asker, at: index, configuration) else {
        return turn.refuse(token, .invalidArgument, "a key that nothing can be agreed on with")
      }
      let key = Stream.key(slot: slot, end: service.ends[index].end)
      turn.add(.persist(.put(stream: Stream.flows, key: key, bytes: FlowRecord(asker, signed).encoded)))
      services[slot] = service
      reserveNumbers(slot, &turn)
      startTraffic(slot, &turn)
    }
    let opened = FlowOpened(
      activation: opening.activation, flow: service.flow, agreementKey: configuration.agreementKey.publicKey,
      address: configuration.networkPort)
    turn.add(
      .reply(
        token, .flowOpened(SignedMessage(signing: opened, with: configuration.key, network: configuration.network))))
  }

  mutating func exchange(_ token: ReplyToken, _ message: Message, _ turn: inout Turn) {
    guard let activation = message.exchangedActivation, let slot = slots[activation], var service = services[slot],
      var exchange = service.account.exchange
    else {
      return turn.refuse(token, .notFound, "no records are made here for this activation")
    }
    do throws(ExchangeRefusal) {
      switch message {
      case .commit(let commitment):
        let answer = try exchange.answer(commitment)
        if let journal = answer.persist { turn.add(.persist(service.record(journal))) }
        turn.add(.reply(token, .commit(answer.reply)))
      case .reveal(let reveal):
        let answer = try exchange.answer(reveal)
        if let journal = answer.persist { turn.add(.persist(service.record(journal))) }
        turn.add(.reply(token, .revealed(answer.reply)))
      case .submitRecord(let submission):
        if let done = try exchange.take(submission) {
          turn.add(.persist(service.record(done.persist)))
          service.tell(of: done.record.epoch, at: turn.now)
          turn.add(.observe(.epochRecorded(activation, done.record)))
        }
        if service.notices?.wait(token) != true { turn.add(.reply(token, .acknowledged)) }
      default: throw .unexpected
      }
    } catch {
      if error == .notYet, case .commit(let commitment) = message {
        // The enclave's clock is a little ahead, or receipts of other edges are still coming: answered as soon as this
        // side is ready. Only the latest waits.
        service.waitingForCommitment = (token, commitment)
      } else {
        turn.count("edge.exchange.refused")
        turn.refuse(token, .failedPrecondition, "\(error)")
      }
    }
    let isDue = service.notices?.nextDue.map { $0 <= turn.now } ?? false
    service.account.exchange = exchange
    services[slot] = service
    if isDue { tick(slot, &turn) }
  }
}

extension EdgeService {
  /// - Returns: false when the flow's key cannot be agreed on.
  mutating func openFlow(
    _ opening: FlowOpening, by enclave: ActorAddress, at index: Int, _ configuration: EdgeCore.Configuration
  ) -> Bool {
    if var endpoint {
      guard endpoint.open(opening, flow: flow, booking, configuration) else { return false }
      self.endpoint = endpoint
    }
    ends[index].flow = EdgeEnd.Flow(enclave: enclave, opening: opening)
    return true
  }
}

/// An enclave's flow as it is kept: who opened it, and its signed opening.
struct FlowRecord: WireCodable {
  let enclave: ActorAddress
  let opening: SignedMessage<FlowOpening>

  init(_ enclave: ActorAddress, _ opening: SignedMessage<FlowOpening>) {
    self.enclave = enclave
    self.opening = opening
  }

  func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(enclave)
    writer.write(opening)
  }

  init(from reader: inout CBORReader) throws(WireError) {
    (enclave, opening) = try reader.record(2) { (reader) throws(WireError) in
      (try reader.value(), try reader.value())
    }
  }
}

extension Message {
  /// The activation that a step of the exchange is about, as it says itself.
  fileprivate var exchangedActivation: ActivationID? {
    switch self {
    case .commit(let exchange): try? exchange.commitment.decode(EpochCommitment.self).activation
    case .reveal(let reveal): reveal.activation
    case .submitRecord(let submission): try? submission.record.decode(JointRecord.self).activation
    default: nil
    }
  }
}
