import Effects
import Messages
import Metering
import Signing

/// What an edge does by the clock and with the other edges of a flow: receipts at the close of every epoch, collected by
/// the anchor before its side of the record, and word of the record to whoever holds a gate.
extension EdgeCore {
  /// Closes the epochs whose grace is over, asks and tells the other edges what is due, answers the enclave if it waits,
  /// and sets the timer for what comes next.
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
    if let waiting = service.waitingForReceipts, let receipts = service.receipts(of: waiting.epoch) {
      service.waitingForReceipts = nil
      turn.add(.reply(waiting.token, .receipts(receipts)))
    }
    if var anchor = service.anchor {
      collect(service, &anchor, &turn)
      tell(service, &anchor, &turn)
      if let waiting = anchor.takeAcknowledged(at: turn.now) {
        service.booking.recorded(waiting.epoch, at: turn.now)
        if let token = waiting.token { turn.add(.reply(token, .acknowledged)) }
      }
      service.anchor = anchor
    }
    if let next = [service.nextClose, service.anchor?.nextDue].compactMap({ $0 }).min() {
      turn.add(.setTimer(TimerID(Purpose.service, slot), at: max(next, turn.now)))
    }
    let waiting = service.anchor?.waiting
    service.anchor?.waiting = nil
    services[slot] = service
    if let waiting { exchange(waiting.token, .commit(waiting.commitment), &turn) }
  }

  private mutating func collect(_ service: EdgeService, _ anchor: inout AnchorAccount, _ turn: inout Turn) {
    for epoch in anchor.collections.takeOver(at: turn.now) {
      turn.count("edge.receipts.missing")
      if let journal = anchor.exchange.stopCollecting(epoch) { turn.add(.persist(service.record(journal))) }
    }
    let exchange = anchor.exchange
    for ask in anchor.collections.take(at: turn.now, awaited: { exchange.awaited(in: $0) }) {
      guard let edge = service.otherEdges(in: ask.epoch).first(where: { $0.key == ask.signer })?.address else {
        continue
      }
      let id = numbers.next()
      asked[id] = .receipts(slot: service.slot, epoch: ask.epoch, signer: ask.signer)
      let request = ReceiptsRequest(activation: service.activation, epoch: ask.epoch)
      turn.add(.request(id, to: edge, .getReceipts(request), deadline: ask.deadline))
    }
  }

  private mutating func tell(_ service: EdgeService, _ anchor: inout AnchorAccount, _ turn: inout Turn) {
    guard let record = anchor.exchange.lastSigned?.byEnclave else { return }
    for notice in anchor.takeNotices(at: turn.now) {
      let id = numbers.next()
      asked[id] = .notice(slot: service.slot, edge: notice.edge, epoch: notice.epoch)
      turn.add(
        .request(
          id, to: notice.edge, .submitRecord(RecordSubmission(record: record)), deadline: service.noticePatience))
    }
  }

  /// A record is there: the gates open, here and wherever else the flow is served now or soon.
  func recorded(_ epoch: EpochNumber, _ service: EdgeService, _ anchor: inout AnchorAccount, _ turn: inout Turn) {
    let metering = service.booking.parties.metering
    anchor.tell(
      service.otherEdges(in: epoch + 1...epoch + 3), of: epoch, patience: metering.collectionPatience, at: turn.now)
  }

  mutating func response(_ id: RequestID, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn) {
    guard let about = asked.removeValue(forKey: id) else { return }
    switch about {
    case .receipts(let slot, let epoch, let signer):
      guard var service = services[slot], var anchor = service.anchor else { return }
      anchor.collections.answered(epoch, by: signer)
      if case .success(let message) = result, case .receipts(let receipts) = message.value {
        take(receipts, of: epoch, service, &anchor, &turn)
      }
      service.anchor = anchor
      services[slot] = service
      tick(slot, &turn)
    case .notice(let slot, let edge, let epoch):
      switch result {
      case .success: services[slot]?.anchor?.told(edge, of: epoch)
      case .failure(let error):
        // Whoever did not answer was waited for already.
        let pause = error.code == .deadlineExceeded ? .zero : services[slot]?.noticePatience ?? .zero
        services[slot]?.anchor?.notTold(edge, of: epoch, askAt: turn.now + pause)
      }
      tick(slot, &turn)
    }
  }

  private func take(
    _ receipts: ReceiptSet, of epoch: EpochNumber, _ service: EdgeService, _ anchor: inout AnchorAccount,
    _ turn: inout Turn
  ) {
    do throws(ExchangeRefusal) {
      if let journal = try anchor.exchange.collect(epoch, receipts) { turn.add(.persist(service.record(journal))) }
      if anchor.exchange.awaited(in: epoch).isEmpty { anchor.collections.complete(epoch) }
    } catch {
      turn.count("edge.receipts.refused")
    }
  }

  // MARK: What the anchor asks and tells

  mutating func giveReceipts(_ token: ReplyToken, _ request: ReceiptsRequest, _ turn: inout Turn) {
    guard let slot = slots[request.activation], let service = services[slot] else {
      return turn.refuse(token, .notFound, "no service is ordered for this activation")
    }
    if let receipts = service.receipts(of: request.epoch) { return turn.add(.reply(token, .receipts(receipts))) }
    guard service.anchor == nil, request.epoch >= service.nextToClose else {
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
    guard service.anchor == nil else { return exchange(token, .submitRecord(submission), &turn) }
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

  /// What this edge signed for an epoch for the anchor to collect.
  func receipts(of epoch: EpochNumber) -> ReceiptSet? {
    if case .collected(let book) = account { book.receipts(of: epoch) } else { nil }
  }

  /// Closes the epoch whose turn it is: one signed receipt per point.
  /// - Returns: what to keep, and how many packets of the epoch the contract did not allow.
  mutating func closeNext(
    _ configuration: EdgeCore.Configuration, at now: Instant
  ) -> (journal: EpochJournal, dropped: UInt64)? {
    let epoch = nextToClose
    let receipts = closeReceipts(configuration)
    guard let journal = account.close(epoch, receipts: receipts) else { return nil }
    if journal.isCollecting { collect(epoch, at: now) }
    return (journal, receipts.reduce(0) { $0 + $1.counts.droppedByPolicy })
  }

  /// After a restart: asks anew for what was being collected, and tells of the last record.
  mutating func resumeAnchoring(at now: Instant) {
    for epoch in anchor?.exchange.collecting ?? [] { collect(epoch, at: now) }
    guard let last = anchor?.exchange.lastRecord?.epoch else { return }
    let edges = otherEdges(in: last + 1...last + 3)
    let patience = booking.parties.metering.collectionPatience
    anchor?.tell(edges, of: last, patience: patience, at: now)
  }

  private mutating func collect(_ epoch: EpochNumber, at now: Instant) {
    let metering = booking.parties.metering
    anchor?.collections.begin(epoch, metering: metering, at: now)
  }
}
