import Effects
import Messages
import Metering
import Signing

/// What an edge does by the clock and with the other edges of a flow: receipts at the close of every epoch, collected
/// by the anchor before its side of the record, and word of the record to whoever holds a gate.
extension EdgeCore {
  /// Closes the epochs whose grace is over, asks and tells the other edges what is due, answers the enclave if it
  /// waits, and sets the timer for what comes next.
  mutating func tick(_ slot: UInt64, _ turn: inout Turn) {
    guard var service = services[slot] else { return }
    while let close = service.nextClose, close <= turn.now {
      let epoch = service.nextToClose
      guard let (journal, dropped) = service.closeNext(configuration, at: turn.now) else { break }
      turn.add(.persist(service.record(journal)))
      if dropped > 0 {
        let step = ActivationStep.droppedByPolicy(epoch: epoch, packets: dropped)
        turn.add(.observe(.activation(service.activation, step)))
      }
    }
    if let waiting = service.waitingForReceipts, let receipts = service.account.receipts(of: waiting.epoch) {
      service.waitingForReceipts = nil
      turn.add(.reply(waiting.token, .receipts(receipts)))
    }
    collect(&service, &turn)
    tell(&service, &turn)
    let due = [service.nextClose, service.account.collectingDue, service.notices?.nextDue].compactMap { $0 }.min()
    if let due { turn.add(.setTimer(TimerID(Purpose.service, slot), at: max(due, turn.now))) }
    let waiting = service.waitingForCommitment
    service.waitingForCommitment = nil
    services[slot] = service
    if let waiting { exchange(waiting.token, .commit(waiting.commitment), &turn) }
  }

  private mutating func collect(_ service: inout EdgeService, _ turn: inout Turn) {
    for journal in service.account.stopCollecting(at: turn.now) {
      turn.count("edge.receipts.missing")
      turn.add(.persist(service.record(journal)))
    }
    for ask in service.account.takeRequests(at: turn.now) {
      guard let edge = service.otherEdges(in: ask.epoch).first(where: { $0.key == ask.signer })?.address else {
        continue
      }
      let id = numbers.next()
      asked[id] = .receipts(slot: service.slot, epoch: ask.epoch, signer: ask.signer)
      let request = ReceiptsRequest(activation: service.activation, epoch: ask.epoch)
      turn.add(.request(id, to: edge, .getReceipts(request), deadline: ask.deadline))
    }
  }

  private mutating func tell(_ service: inout EdgeService, _ turn: inout Turn) {
    guard var notices = service.notices else { return }
    if let record = service.account.exchange?.lastSigned?.byEnclave {
      for edge in notices.take(at: turn.now) {
        let id = numbers.next()
        asked[id] = .notice(slot: service.slot, edge: edge, epoch: notices.epoch)
        turn.add(
          .request(id, to: edge, .submitRecord(RecordSubmission(record: record)), deadline: service.noticePatience))
      }
    }
    if notices.takeAcknowledgement(at: turn.now) {
      service.booking.recorded(notices.epoch, at: turn.now)
      if let token = notices.token { turn.add(.reply(token, .acknowledged)) }
    }
    service.notices = notices
  }

  mutating func response(_ id: RequestID, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn) {
    guard let about = asked.removeValue(forKey: id) else { return }
    switch about {
    case .receipts(let slot, let epoch, let signer):
      guard var service = services[slot] else { return }
      do throws(ExchangeRefusal) {
        if let journal = try service.account.collected(epoch, from: signer, (try? result.get())?.value.givenReceipts) {
          turn.add(.persist(service.record(journal)))
        }
      } catch {
        turn.count("edge.receipts.refused")
      }
      services[slot] = service
      tick(slot, &turn)
    case .notice(let slot, let edge, let epoch):
      guard services[slot]?.notices?.epoch == epoch else { return }
      switch result {
      case .success: services[slot]?.notices?.told(edge)
      case .failure(let error):
        // Whoever did not answer was waited for already.
        let pause = error.code == .deadlineExceeded ? .zero : services[slot]?.noticePatience ?? .zero
        services[slot]?.notices?.notTold(edge, askAt: turn.now + pause)
      }
      tick(slot, &turn)
    }
  }

  // MARK: What the anchor asks and tells

  /// The anchor asks for what this one signed. Nobody else does: only one asker waits for an epoch to close.
  mutating func giveReceipts(
    _ token: ReplyToken, _ asker: ActorAddress, _ request: ReceiptsRequest, _ turn: inout Turn
  ) {
    guard let slot = slots[request.activation], let service = services[slot] else {
      return turn.refuse(token, .notFound, "no service is ordered for this activation")
    }
    guard asker == service.order.anchor else {
      turn.count("edge.receipts.refused")
      return turn.refuse(token, .permissionDenied, "only the flow's anchor collects receipts")
    }
    if let receipts = service.account.receipts(of: request.epoch) {
      return turn.add(.reply(token, .receipts(receipts)))
    }
    guard !service.account.isAnchor, request.epoch >= service.nextToClose else {
      return turn.refuse(token, .notFound, "its receipts are not kept here")
    }
    // The anchor's clock is a little ahead: answered as soon as the epoch closes here. Only the latest waits.
    services[slot]?.waitingForReceipts = (token, request.epoch)
  }

  /// A record: of the enclave to the anchor, which takes part in it, and of the anchor to the others, whose gates wait
  /// for it. It proves itself: it is signed by the near enclave.
  mutating func recorded(_ token: ReplyToken, _ submission: RecordSubmission, _ turn: inout Turn) {
    guard let record = try? submission.record.decode(JointRecord.self), let slot = slots[record.activation],
      var service = services[slot]
    else { return turn.refuse(token, .notFound, "no service is ordered for this activation") }
    guard !service.account.isAnchor else { return exchange(token, .submitRecord(submission), &turn) }
    guard let signer = submission.record.signer, signer == service.booking.parties.anchor(of: .customer) else {
      turn.count("edge.exchange.refused")
      return turn.refuse(token, .permissionDenied, "not signed by the near enclave")
    }
    if service.told(of: record.epoch, at: turn.now) {
      services[slot] = service
      turn.add(.persist(service.record))
    }
    turn.add(.reply(token, .acknowledged))
  }
}

extension EdgeService {
  /// How long another edge may take to acknowledge a record before it is told again: some times within the patience.
  var noticePatience: Span { max(.milliseconds(10), booking.parties.metering.collectionPatience / 5) }

  /// Every other edge that serves in one of these epochs, each once.
  func otherEdges(in epochs: ClosedRange<EpochNumber>) -> [ActorAddress] {
    var edges: [ActorAddress] = []
    for epoch in epochs {
      for edge in otherEdges(in: epoch) where !edges.contains(edge.address) { edges.append(edge.address) }
    }
    return edges
  }

  /// Closes the epoch whose turn it is: one signed receipt per point.
  /// - Returns: what to keep, and how many packets of the epoch the contract did not allow.
  mutating func closeNext(
    _ configuration: EdgeCore.Configuration, at now: Instant
  ) -> (journal: EpochJournal, dropped: UInt64)? {
    let epoch = nextToClose
    let receipts = closeReceipts(configuration)
    guard
      let journal = account.close(epoch, receipts: receipts, metering: booking.parties.metering, at: now)
    else { return nil }
    return (journal, receipts.reduce(0) { $0 + $1.counts.droppedByPolicy })
  }

  /// A life begins: what was being collected is asked for anew, and the others are told of the last record.
  mutating func resume(at now: Instant) {
    booking.presentSince = now
    account.resumeCollecting(metering: booking.parties.metering, at: now)
    if let last = account.exchange?.lastRecord?.epoch { tell(of: last, at: now) }
  }

  /// A record is there: the gates open, here and wherever else the flow is served now or soon.
  mutating func tell(of epoch: EpochNumber, at now: Instant) {
    let edges = otherEdges(in: epoch + 1...epoch + 3)
    notices = EdgeNotices(of: epoch, to: edges, patience: booking.parties.metering.collectionPatience, at: now)
  }
}
