import Messages
import Metering
import Signing

/// Demands and their answers (sla.md, "The activation"): who is silent loses by a deadline on the chain's clock, never
/// by somebody's word. What a lost one comes to stands in `DemandDeadlines.swift`.
extension BlockExecution {
  // MARK: Service

  /// "Serve": once, soon after the start.
  mutating func demandService(_ id: ActivationID, by signer: Signer) throws(Refusal) {
    let activation = try activation(id)
    try require(activation.side(of: signer) == .customer, orElse: .permissionDenied)
    guard case .reserved(var reservation, _) = activation.phase, reservation.isServing(at: context.time),
      reservation.proceedings.service == .none, reservation.proceedings.posted == nil
    else { throw .code(.failedPrecondition) }
    let terms = try terms(of: activation)
    let demandBy = reservation.startAt + terms.deadlines.demandWithin
    try require(context.time < demandBy, orElse: .deadlinePassed)
    // The first receipts there can be are those of epoch 0, when it is closed.
    let firstReceipts = reservation.start(of: 1, terms) + terms.metering.grace
    let answerBy = max(
      chain.clock + terms.deadlines.answerWithin, chain.deadline(terms.deadlines.answerWithin, after: firstReceipts))
    reservation.proceedings.service = .open(answerBy: answerBy)
    try store(activation, with: reservation)
  }

  /// "I serve": a record that both sides signed, or the receipts of every point of the operator's for one epoch that is
  /// over. The receipts are statements: what they are worth, the customer's own receipts show.
  ///
  /// A signed record says all there is to say about its epoch and those before, so either side may bring it, and it
  /// answers whatever is demanded of them. Otherwise journals of old epochs had to be opened again, and who demands
  /// one and then stays silent would lose that epoch and undo all later ones, paid and unpaid.
  mutating func startService(_ proof: ServiceProof, by signer: Signer) throws(Refusal) {
    let activation = try activation(proof.activation)
    guard let side = activation.side(of: signer) else { throw .code(.permissionDenied) }
    guard var reservation = activation.reservation, !activation.phase.isFinal,
      let answerBy = reservation.proceedings.answerBy
    else { throw .code(.failedPrecondition) }
    try require(answerBy > passedBefore, orElse: .deadlinePassed)
    if let signed = proof.record {
      let record = try joint(signed, of: activation)
      try require(reservation.proceedings.isAnswered(by: record), orElse: .failedPrecondition)
      reservation.proceedings.answer(with: record)
      return try store(try bringing(record, to: activation, reservation), with: reservation)
    }
    try require(side == .networkOperator, orElse: .permissionDenied)
    guard case .open = reservation.proceedings.service else { throw .code(.failedPrecondition) }
    let receipt = proof.receipts.receipts.first.flatMap { try? $0.decode(SLAReceipt.self) }
    guard let epoch = receipt?.epoch, epoch < reservation.epochs,
      reservation.start(of: epoch + 1, try terms(of: activation)) <= context.time,
      proof.receipts.covers(.networkOperator, of: epoch, parties: try parties(of: activation))
    else { throw .code(.receiptMismatch) }
    reservation.proceedings.service = .answered
    try store(activation, with: reservation)
  }

  // MARK: Records

  /// "Open your receipts of this epoch": by either side, in ACTIVATED and CLOSING, once per side and epoch, for one
  /// that is over and has no record on the ledger.
  mutating func demandRecord(_ demand: RecordDemand, by signer: Signer) throws(Refusal) {
    let commitment: EpochCommitment
    do { commitment = try demand.commitment.decode() } catch { throw .code(.invalidArgument) }
    let activation = try activation(commitment.activation)
    guard let side = activation.side(of: signer) else { throw .code(.permissionDenied) }
    guard var reservation = activation.reservation, let deadline = activation.phase.deadline,
      reservation.startAt <= context.time
    else { throw .code(.failedPrecondition) }
    try require(deadline > passedBefore, orElse: .deadlinePassed)
    let terms = try terms(of: activation)
    let epoch = commitment.epoch
    try require(epoch < reservation.epochs, orElse: .outOfRange)
    let isClosed = reservation.start(of: epoch + 1, terms) + terms.metering.grace <= context.time
    let proceedings = reservation.proceedings
    let isFirst = proceedings.latestDemands[side].map { $0 < epoch } ?? true
    let isCovered = [proceedings.posted?.record, activation.closingRecord].contains {
      ($0?.epoch).map { $0 >= epoch } ?? false
    }
    try require(
      isClosed && isFirst && !isCovered && !proceedings.demands.contains { $0.by == side }, orElse: .failedPrecondition)

    let base = try base(demand.base, before: epoch, of: activation)
    // Both sides signed what this one goes on from: nothing up to there can be demanded any more.
    if demand.base != nil { reservation.proceedings.answer(with: base?.record) }
    let parties = try parties(of: activation)
    try check(demand.commitment, commitment, by: side, epoch, after: base?.record, parties)
    var other: EpochCommitment?
    if let envelope = demand.other {
      let theirs: EpochCommitment
      do { theirs = try envelope.decode() } catch { throw .code(.invalidArgument) }
      try check(envelope, theirs, by: side.other, epoch, after: base?.record, parties)
      other = theirs
    }
    reservation.proceedings.latestDemands[side] = epoch
    reservation.proceedings.demands.append(
      OpenRecordDemand(
        by: side, epoch: epoch, base: base, commitment: commitment, other: other, opened: nil,
        answerBy: chain.clock + terms.deadlines.answerWithin))
    try store(activation, with: reservation)
  }

  /// Opens the receipts of one side, whose turn it is. When both sides' are open the ledger makes the record.
  mutating func postRecord(_ post: RecordPost, by signer: Signer) throws(Refusal) {
    let activation = try activation(post.activation)
    guard let side = activation.side(of: signer) else { throw .code(.permissionDenied) }
    guard var reservation = activation.reservation, !activation.phase.isFinal else { throw .code(.failedPrecondition) }
    let demands = reservation.proceedings.demands.filter { $0.epoch == post.epoch }
    let mine = demands.filter { $0.turn == side }
    guard let demand = mine.first else { throw .code(.failedPrecondition) }
    try require(mine.contains { $0.answerBy > passedBefore }, orElse: .deadlinePassed)

    let commitment: EpochCommitment
    do { commitment = try post.commitment.decode() } catch { throw .code(.invalidArgument) }
    let account = try account(before: demand, of: activation)
    try check(post.commitment, commitment, by: side, post.epoch, after: demand.base?.record, account.parties)
    // What a side has said before about this epoch binds it.
    let known = demands.compactMap { $0.by == side ? $0.commitment : $0.other }
    try require(known.allSatisfy { $0 == commitment }, orElse: .receiptMismatch)
    try require(
      commitment.receipts == post.receipts.digest && account.admits(post.receipts, of: side), orElse: .receiptMismatch)

    if let theirs = mine.compactMap(\.opened).first {
      let (customer, networkOperator) = side == .customer ? (post.receipts, theirs) : (theirs, post.receipts)
      let next: JointAccount
      do throws(AccountError) {
        next = try account.appending(epoch: post.epoch, customer: customer, networkOperator: networkOperator)
      } catch {
        throw .code(.receiptMismatch)
      }
      return try keep(recordOf: next, in: activation, reservation)
    }
    let answerBy = chain.clock + (try terms(of: activation)).deadlines.answerWithin
    for index in reservation.proceedings.demands.indices {
      let demand = reservation.proceedings.demands[index]
      guard demand.epoch == post.epoch, demand.turn == side else { continue }
      reservation.proceedings.demands[index].opened = post.receipts
      reservation.proceedings.demands[index].answerBy = answerBy
    }
    try store(activation, with: reservation)
  }

  // MARK: Checks

  /// A commitment to one epoch, by the anchor of its side, that follows the record before.
  private func check(
    _ envelope: Envelope, _ commitment: EpochCommitment, by side: AccountingSide, _ epoch: EpochNumber,
    after record: JointRecord?, _ parties: AccountParties
  ) throws(Refusal) {
    try require(
      commitment.activation == parties.activation && commitment.epoch == epoch && commitment.side == side,
      orElse: .invalidArgument)
    try require(envelope.signer != nil && envelope.signer == parties.anchor(of: side), orElse: .permissionDenied)
    try require(commitment.previousRecord == record?.digest ?? .zero, orElse: .receiptMismatch)
  }

  /// What an epoch's record is made from: the record before and its state, both given or both kept here.
  func base(
    _ given: AccountBase?, before epoch: EpochNumber, of activation: ActivationRecord
  ) throws(Refusal) -> PostedRecord? {
    guard epoch > 0 else {
      try require(given == nil, orElse: .invalidArgument)
      return nil
    }
    guard let given else {
      guard let posted = activation.reservation?.proceedings.posted, posted.record.epoch == epoch - 1 else {
        throw .code(.invalidArgument)
      }
      return posted
    }
    let record = try joint(given.record, of: activation)
    try require(record.epoch == epoch - 1, orElse: .invalidArgument)
    let base = PostedRecord(record: record, state: given.state)
    _ = try account(after: base, of: activation)
    return base
  }

  func account(before demand: OpenRecordDemand, of activation: ActivationRecord) throws(Refusal) -> JointAccount {
    try account(after: demand.base, of: activation)
  }

  /// The joint account as it stands after a record, or before the first.
  func account(after base: PostedRecord?, of activation: ActivationRecord) throws(Refusal) -> JointAccount {
    let parties = try parties(of: activation)
    guard let base else { return JointAccount(parties: parties) }
    do throws(AccountError) {
      return try JointAccount(resuming: base.record, state: base.state, parties: parties)
    } catch {
      throw .code(.receiptMismatch)
    }
  }

  /// Who accounts for an activation, as Metering asks.
  func parties(of activation: ActivationRecord) throws(Refusal) -> AccountParties {
    let terms = try allTerms(of: activation)
    guard let reservation = activation.reservation, let first = terms.first else { throw .code(.failedPrecondition) }
    let confirmation = SliceConfirmation(
      activation: activation.id, planHash: reservation.planHash, startAt: reservation.startAt, edge: reservation.edge,
      peerEdge: reservation.peerEdge)
    var parties = AccountParties(
      activation: activation.id, terms: first, order: activation.order, confirmation: confirmation,
      maintenance: activation.maintenance)
    var fits = true
    for (segment, terms) in zip(activation.segments, terms).dropFirst() {
      fits = parties.append(BookedSegment(terms: terms, from: segment.first, bookedEpochs: segment.epochs)) && fits
    }
    for handover in reservation.handovers { fits = parties.append(handover) && fits }
    guard fits else {
      throw .fault(LedgerFault("activation \(activation.id): what was amended does not fit what was booked"))
    }
    return parties
  }

  /// The same activation with another reservation, in whatever phase it is.
  mutating func store(_ activation: ActivationRecord, with reservation: Reservation) throws(Refusal) {
    var activation = activation
    switch activation.phase {
    case .reserved(_, let settleBy): activation.phase = .reserved(reservation, settleBy: settleBy)
    case .closing(_, let closing): activation.phase = .closing(reservation, closing)
    case .requested, .nullified, .settled: throw .code(.failedPrecondition)
    }
    try store(activation)
  }
}

extension ActivationRecord {
  /// What CLOSING would pay by.
  var closingRecord: JointRecord? {
    if case .closing(_, let closing) = phase { closing.record } else { nil }
  }
}

extension Reservation {
  /// ACTIVATED, with nothing that ends it early.
  fileprivate func isServing(at time: Instant) -> Bool { startAt <= time && time < endsAt && cause == nil }
}
