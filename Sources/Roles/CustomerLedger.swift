import Effects
import Messages
import Signing

/// What the ledger says about this customer's activations.
extension CustomerCore {
  mutating func take(_ news: [LedgerNews], _ turn: inout Turn) {
    for each in news { take(each.own, at: each.tip, &turn) }
    act(&turn)
  }

  /// - Parameter notices: all that concerns this customer, from the tip known so far to this one.
  mutating func take(_ notices: [LedgerNotice], at tip: LedgerTip, _ turn: inout Turn) {
    self.tip = tip
    evidenceInBlock = [:]
    for notice in notices { noticed(notice, tip.time, &turn) }
    forgetUnusedConsents()
  }

  /// Does what follows from what was told. What is read of the past is nobody's news.
  mutating func act(_ turn: inout Turn) {
    guard isReady else { return }
    let changed = touched
    touched = []
    for index in changed {
      advance(index, &turn)
      runErrands(index, &turn)
    }
  }

  private mutating func becomeReady(_ turn: inout Turn) {
    isReady = true
    touched = Array(purchases.indices)
    for index in purchases.indices { tell(index, &turn) }
    for enclave in enclaves.indices { registerEnclave(enclave, &turn) }
  }

  private mutating func noticed(_ notice: LedgerNotice, _ time: Instant, _ turn: inout Turn) {
    switch notice {
    case .deployed(let id, _): if undeployed.remove(id) != nil { unblock() }
    case .evidence(let key, let digest): evidenceInBlock[key] = digest
    case .enclaveRegistered(let key, let owner, let expires):
      guard owner == directory.organisation(of: self.key) else { return }
      evidence[key] = evidenceInBlock[key]
      registered(key, expires)
    case .transaction(let id, let result):
      promises.settled(id)
      if let about = awaited.removeValue(forKey: id) { decided(about, result, &turn) }
    case .ordered(let activation, let order, let payer, let expiry):
      orderStands(activation, order, payer, expiry: expiry, time, &turn)
    case .confirmed(let confirmation): confirmed(confirmation, &turn)
    case .changed(let change): changed(change, &turn)
    case .handedOver(let handover): handedOver(handover, &turn)
    case .amended(let order): amended(order, time, &turn)
    case .maintenance(let maintenance, let signer):
      if let announcer = directory.organisation(of: signer) { announcements.add(maintenance, by: announcer, at: time) }
    case .serviceDemanded, .serviceStarted, .recordDemanded, .recordPosted, .settlementPosted:
      demandNoticed(notice, &turn)
    case .caughtUp: becomeReady(&turn)
    case .eraBegins(let era): promises.learn(era)
    case .statusSet, .rejected, .disputed: break
    }
  }

  /// An Activate: this customer's own, or one that uses a consent it gave.
  private mutating func orderStands(
    _ activation: ActivationID, _ order: ActivationOrder, _ payer: PublicKey, expiry: Height, _ time: Instant,
    _ turn: inout Turn
  ) {
    guard let index = indexes[activation] ?? consentUsed(by: order, of: payer),
      let terms = purchases[index].booking?.terms
    else { return }
    indexes[activation] = index
    purchases[index].maintenance = announcements.of(terms.operatorID)
      .windows(binding: order, expiry: expiry, at: time)
    reached(index, .requested(activation), &turn)
  }

  private mutating func confirmed(_ confirmation: SliceConfirmation, _ turn: inout Turn) {
    guard let index = indexes[confirmation.activation], let booking = purchases[index].booking else { return }
    purchases[index].amended.plan = confirmation.planHash
    let service = Service(
      activation: confirmation.activation, end: purchases[index].part.end, terms: booking.terms,
      order: booking.order, confirmation: confirmation)
    reached(index, .opening(service), &turn)
  }

  private mutating func reached(_ index: Int, _ stage: Stage, _ turn: inout Turn) {
    set(stage, of: index)
    touched.append(index)
    if isReady { tell(index, &turn) }
  }

  private mutating func changed(_ change: ActivationChange, _ turn: inout Turn) {
    guard let index = indexes[change.activation] else { return }
    purchases[index].epochs = change.epochs
    purchases[index].isClosing = change.state == .closing
    purchases[index].demands.posted = change.posted
    purchases[index].demands.isOpen = change.answerBy != nil
    touched.append(index)
    guard change.state.isFinal else { return }
    if let settlement = purchases[index].settlement { awaited[settlement.id] = nil }
    purchases[index].settlement = nil
    indexes[change.activation] = nil
    ended(index, change, &turn)
  }

  private mutating func ended(_ index: Int, _ change: ActivationChange, _ turn: inout Turn) {
    set(.ended(change), of: index)
    dropErrands(index)
    guard isReady else { return }
    for purpose in [Purpose.traffic, Purpose.purchase, Purpose.errands] {
      turn.add(.cancelTimer(TimerID(purpose, UInt64(index))))
    }
    tell(index, &turn)
  }

  /// A transaction of this customer stands in a block.
  private mutating func decided(_ about: Awaited, _ result: TransactionResult, _ turn: inout Turn) {
    switch about {
    case .order(let index):
      guard result != .accepted else { return }
      if let id = purchases[index].activation { indexes[id] = nil }
      if isReady, result == .attestationRejected { forgetRegistration(of: purchases[index].part.enclave, &turn) }
      refuse(index, result.name, &turn)
    case .registration(let enclave):
      if result != .accepted { registrationRefused(enclave, result, &turn) }
    case .settlement(let index):
      purchases[index].settlement = nil
      purchases[index].hasPosted = result == .accepted || purchases[index].isClosing
      purchases[index].notBefore = turn.now + Self.resend
      touched.append(index)
    case .errand(let index, let errand): errandDecided(index, errand, result, &turn)
    }
  }

  mutating func refuse(_ index: Int, _ reason: String, _ turn: inout Turn) {
    set(.refused(reason), of: index)
    if isReady { tell(index, &turn) }
  }

  /// The one way a stage changes. What was asked for the old one does not count for the new.
  mutating func set(_ stage: Stage, of index: Int) {
    purchases[index].stage = stage
    purchases[index].question = nil
    purchases[index].failures = 0
    purchases[index].notBefore = .zero
  }

  mutating func unblock() {
    touched += blocked.sorted()
    blocked = []
  }

  mutating func advanceUnblocked(_ turn: inout Turn) {
    let waiting = blocked.sorted()
    blocked = []
    for index in waiting { advance(index, &turn) }
  }

  /// Where a purchase stands on the ledger. A flow has one payer, and that one tells.
  private func tell(_ index: Int, _ turn: inout Turn) {
    let purchase = purchases[index]
    guard purchase.part.isPayer, let id = purchase.activation else { return }
    let step: ActivationStep? =
      switch purchase.stage {
      case .planned, .choosing, .inviting, .ordered, .consented, .serving, .settling: nil
      case .requested: .requested
      case .opening(let service): .reserved(startAt: service.confirmation.startAt)
      case .ended(let change): .ended(change)
      case .refused(let reason): .refused(reason)
      }
    if let step { turn.add(.observe(.activation(id, step))) }
  }
}

/// Interruptions that operators announced and that are not over, as the ledger keeps them: it takes no more than can
/// bind one activation.
struct Announcements: Sendable {
  private var announced: [OrganisationID: [AnnouncedMaintenance]] = [:]

  mutating func add(_ announcement: AnnouncedMaintenance, by announcer: OrganisationID, at time: Instant) {
    announced[announcer] = of(announcer).filter { time < $0.maintenance.window.to } + [announcement]
  }

  func of(_ announcer: OrganisationID) -> [AnnouncedMaintenance] { announced[announcer] ?? [] }
}
