import Effects
import Messages
import Metering
import Signing
import Slicing

/// What the ledger says about this operator's activations.
extension ControllerCore {
  mutating func take(_ blocks: [Block], _ turn: inout Turn) {
    for block in blocks {
      let time = block.header.time
      for notice in LedgerView.notices(of: block, where: concerns) { noticed(notice, at: time, &turn) }
    }
    guard follower.hasCaughtUp else { return }
    if !isReady { becomeReady(&turn) }
    dropExpiredHolds(&turn)
    announceMissing(&turn)
    let changed = touched
    touched = []
    for activation in changed { advance(activation, &turn) }
  }

  /// Whether a transaction is to be read: one of its own, or about its contracts or activations.
  private func concerns(_ glance: LedgerView.Glance) -> Bool {
    switch glance.kind {
    case .deployContract, .announceMaintenance: return glance.signer == configuration.key.publicKey
    case .activate: return glance.subject.map { contracts[ContractID(value: $0)] != nil } ?? false
    // They begin with an envelope.
    case .extend, .renegotiate, .demandRecord: return true
    case .setContractStatus: return false
    case nil:
      if glance.signer == configuration.key.publicKey { return true }
      return glance.subject.map { jobs[ActivationID(value: $0)] != nil } ?? false
    }
  }

  private mutating func becomeReady(_ turn: inout Turn) {
    isReady = true
    touched = jobs.keys.sorted()
    for reservation in closings.keys.sorted() { askToClose(reservation, &turn) }
  }

  private mutating func noticed(_ notice: LedgerNotice, at time: Instant, _ turn: inout Turn) {
    switch notice {
    case .deployed(let id, _): announcements.deployed(id)
    case .maintenance(let maintenance, _): announcements.announced(maintenance)
    case .ordered(let activation, let order, let payer, let expiry):
      let windows = announcements.maintenance.windows(binding: order, expiry: expiry, at: time)
      ordered(activation, order, payer, maintenance: windows, &turn)
    case .transaction(let id, let result):
      answered(id, result, &turn)
      if result != .accepted { announcementRefused(id, result, &turn) }
    case .confirmed(let confirmation): confirmed(confirmation, &turn)
    case .handedOver(let handover): handedOver(handover, &turn)
    case .amended(let order): if jobs[order.activation] != nil { jobs[order.activation]?.amended = order }
    case .serviceDemanded(let activation):
      jobs[activation]?.demands.demandedService()
      touch(activation)
    case .serviceStarted(let proof): serviceStarted(proof)
    case .recordDemanded(let demand, let signer): recordDemanded(demand, by: signer, &turn)
    case .recordPosted(let post, let signer): recordPosted(post, by: signer)
    case .changed(let change) where change.state.isFinal: ended(change, &turn)
    case .changed(let change): changed(change, &turn)
    case .settlementPosted(let activation, let record?, let signer):
      recordShown(record, of: activation, answering: false)
      if !isOwn(signer) { jobs[activation]?.demands.closing = record }
    case .statusSet, .rejected, .settlementPosted, .disputed, .evidence, .enclaveRegistered, .eraBegins, .caughtUp:
      break
    }
  }

  func isOwn(_ signer: PublicKey) -> Bool { signer == configuration.key.publicKey }

  private mutating func touch(_ activation: ActivationID) {
    if jobs[activation] != nil { touched.append(activation) }
  }

  // MARK: An order and its slice

  private mutating func ordered(
    _ activation: ActivationID, _ order: ActivationOrder, _ payer: PublicKey, maintenance: [TimeWindow],
    _ turn: inout Turn
  ) {
    guard let terms = contracts[order.contract] else { return }
    let slices = recovered.removeValue(forKey: activation) ?? []
    guard jobs.count < Self.maximumJobs || !slices.isEmpty else { return turn.count("controller.tooManyActivations") }
    var job = Job(
      number: nextJobNumber, order: order, terms: terms, payer: payer, maintenance: maintenance)
    job.slices = slices
    jobs[activation] = job
    jobNumbers[nextJobNumber] = activation
    nextJobNumber += 1
    touched.append(activation)
    // Of several holds only the last can still be under way: one slice at a time.
    if let held = slices.last, held.slice.state == .held { resume(held, activation) }
  }

  /// A crash left this slice with its signed transaction: the very same bytes are sent again.
  private mutating func resume(_ held: KeptSlice, _ activation: ActivationID) {
    let goal: Goal
    switch held.carrier.transaction.action {
    case .confirmSlice(let confirmation): goal = .start(confirmation)
    case .handOver(let handover): goal = .handover(handover)
    case .extend(let byCustomer, _), .renegotiate(let byCustomer, _):
      guard let order = try? byCustomer.decode(SegmentOrder.self) else { return }
      goal = .segment(order, from: 0, byCustomer: byCustomer)
    default: return
    }
    jobs[activation]?.stitching = Stitching(
      slice: held.slice, goal: goal, parts: [], phase: .submitted, deadline: .distantFuture)
    add(Errand(purpose: .carry(held.slice.id), transaction: held.carrier), activation)
  }

  private mutating func confirmed(_ confirmation: SliceConfirmation, _ turn: inout Turn) {
    let activation = confirmation.activation
    guard let job = jobs[activation] else { return }
    touched.append(activation)
    served += 1
    let reservation = carried(activation, &turn) { $0 == .confirmSlice(confirmation) }
    if reservation == nil {
      turn.note("\(activation.short) is confirmed by a slice that this database does not have", .warning)
      undo(activation, &turn)
    }
    remove(.reject, activation)
    let parties = AccountParties(
      activation: activation, terms: job.terms, order: job.order, confirmation: confirmation,
      maintenance: job.maintenance)
    let flow = flow(of: activation, reservation)
    jobs[activation]?.service = Service(
      confirmation: confirmation, parties: parties, flow: flow, epochsTold: job.epochs)
    let plan = jobs[activation]?.slices.first { $0.slice.id == reservation }?.slice.plan
    openAtStart(activation, plan)
  }

  /// Unique among this operator's flows: its first reservation's number. One whose database was lost gets a number that
  /// no reservation will have.
  private func flow(of activation: ActivationID, _ reservation: ReservationID?) -> UInt32 {
    if let reservation { return UInt32(truncatingIfNeeded: reservation.number) }
    return activation.bytes.prefix(4).reduce(0) { $0 << 8 | UInt32($1) } | 1 << 31
  }

  // MARK: What changes while it runs

  /// Not its end yet: it was prolonged, shortened, has lost a demand, or CLOSING is open.
  private mutating func changed(_ change: ActivationChange, _ turn: inout Turn) {
    let activation = change.activation
    guard let job = jobs[activation] else { return }
    touched.append(activation)
    jobs[activation]?.epochs = change.epochs
    jobs[activation]?.endsAt = change.endsAt
    jobs[activation]?.isClosing = change.state == .closing
    jobs[activation]?.isCutShort = change.statusInfo.map { $0 != .durationExpired } ?? false
    if change.answerBy == nil { jobs[activation]?.demands.lapsed() }
    if let order = job.amended {
      jobs[activation]?.amended = nil
      amended(order, from: change.segmentFrom, &turn)
    }
    tellEnding(activation)
  }

  private mutating func ended(_ change: ActivationChange, _ turn: inout Turn) {
    guard let job = jobs[change.activation] else { return }
    undo(change.activation, &turn)
    for errand in job.errands { remove(errand.purpose, change.activation) }
    let slices = jobs[change.activation]?.slices ?? []
    jobs[change.activation] = nil
    jobNumbers[job.number] = nil
    if isReady { turn.add(.cancelTimer(TimerID(Purpose.job, job.number))) }
    if change.statusInfo == .sliceRejected { rejected += 1 }
    for kept in slices {
      release(kept.slice, &turn)
      close(kept, &turn)
    }
  }

  /// What was recovered and no order on the ledger explains, once its transaction cannot become final any more.
  private mutating func dropExpiredHolds(_ turn: inout Turn) {
    guard !recovered.isEmpty else { return }
    for activation in recovered.keys.sorted() {
      guard let slices = recovered[activation],
        slices.allSatisfy({ $0.slice.confirmationExpiry <= follower.height })
      else { continue }
      recovered[activation] = nil
      for kept in slices {
        release(kept.slice, &turn)
        close(kept, &turn)
      }
    }
  }
}
