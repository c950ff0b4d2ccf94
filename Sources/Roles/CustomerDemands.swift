import Effects
import Messages
import Signing

/// What a customer claims on the ledger when the operator is silent, and what it answers when the operator claims
/// (sla.md, "The activation"). Material comes from its enclave; the ledger decides by its deadlines, never by anybody's
/// word. Only the payer does this: it bears every enclave of its flow.
///
/// It terminates only when its plan says so. Neither side ever does so by itself: a demand that is lost ends an
/// activation with the right cause and the right penalty, and whether service that is bad but given is worth its price
/// is for its owner to say, not for a program.
extension CustomerCore {
  /// What is due is given this long before it is demanded: a demand costs both sides.
  static let demandPatience = Span.seconds(2)
  /// Between two looks at whether records come, epochs, and at least.
  static let watchEpochs: Int64 = 4
  static let watchIntervalAtLeast = Span.seconds(2)

  /// Demands as they stand on the ledger.
  struct Demands: Sendable {
    /// Service was demanded; like a record it is not demanded twice, also when the ledger refused.
    var service = false
    /// Epochs whose records this customer has demanded, ascending.
    var own: [EpochNumber] = []
    /// Receipts opened there; the latest ``maximumOpenings`` epochs.
    var openings: [Opening] = []
    /// The latest epoch whose record the ledger has computed.
    var posted: EpochNumber?
    /// The latest epoch whose record, signed by both, somebody brought to the ledger: none up to it can be demanded.
    var shown: EpochNumber?
    /// The ledger refused a record that was shown there: receipts are opened from then on.
    var proofRefused = false
    /// One of them waits for its answer.
    var isOpen = false
    /// The record that somebody else put into CLOSING.
    var closing: SignedRecord?

    static let maximumOpenings = 8

    struct Opening: Sendable {
      let epoch: EpochNumber
      var customer: ReceiptSet?
      var networkOperator: ReceiptSet?
    }

    mutating func opened(_ receipts: ReceiptSet, of epoch: EpochNumber, by side: AccountingSide) {
      if !openings.contains(where: { $0.epoch == epoch }) {
        if openings.count == Self.maximumOpenings { openings.removeFirst() }
        openings.append(Opening(epoch: epoch))
      }
      for position in openings.indices where openings[position].epoch == epoch {
        switch side {
        case .customer: openings[position].customer = receipts
        case .networkOperator: openings[position].networkOperator = receipts
        }
      }
    }

    /// Nil until both sides have opened theirs.
    func settling(_ activation: ActivationID, _ epoch: EpochNumber) -> EpochSettling? {
      guard let opening = openings.first(where: { $0.epoch == epoch }), let customer = opening.customer,
        let networkOperator = opening.networkOperator
      else { return nil }
      return EpochSettling(
        activation: activation, epoch: epoch, customer: customer, networkOperator: networkOperator)
    }
  }

  // MARK: Watching

  /// When the first record is overdue, or else early enough to demand service that has not begun.
  func firstWatch(_ service: Service) -> Instant {
    min(due(0, service), service.confirmation.startAt + service.terms.deadlines.demandWithin / 2)
  }

  /// The record of an epoch is due by the end of the next (epoch rule 8).
  private func due(_ epoch: EpochNumber, _ service: Service) -> Instant {
    service.start(of: epoch + 2) + service.terms.metering.grace + Self.demandPatience
  }

  mutating func watched(
    _ index: Int, _ service: Service, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) {
    postpone(
      .watch, of: index, by: max(service.terms.metering.epoch * Self.watchEpochs, Self.watchIntervalAtLeast), &turn)
    // An enclave that does not answer is no fault of the operator.
    guard case .success(let message) = result, case .enclaveStatus(let status) = message.value else { return }
    let demands = purchases[index].demands
    if status.record == nil, demands.posted == nil, !demands.service,
      status.phase == .opening || turn.now >= due(0, service),
      turn.now < service.confirmation.startAt + service.terms.deadlines.demandWithin
    {
      return add(.demandService, to: index, &turn)
    }
    _ = demandMissingRecord(index, service, status, &turn)
  }

  /// Demands the record after the last one, if it is overdue and has not been demanded.
  /// - Returns: whether a demand is about to be made or waits for its answer.
  mutating func demandMissingRecord(
    _ index: Int, _ service: Service, _ status: EnclaveStatus, _ turn: inout Turn
  ) -> Bool {
    let purchase = purchases[index]
    // Too long, and no time is left to settle.
    guard turn.now < service.end(epochs: purchase.epochs) + service.terms.deadlines.settleWithin / 2 else {
      return false
    }
    if purchase.demands.isOpen { return true }
    let signed = status.record?.epoch
    let next = [signed, purchase.demands.posted, purchase.demands.shown].compactMap { $0 }.max().map { $0 + 1 } ?? 0
    // Service that never came is demanded as such, while that is possible.
    guard next < purchase.epochs, purchase.demands.own.last.map({ $0 < next }) ?? true else { return false }
    guard turn.now >= due(next, service) else { return false }
    add(.demandRecord(next), to: index, &turn)
    return true
  }

  // MARK: Material

  mutating func askForOwnRecord(
    _ errand: Errand, _ index: Int, _ service: Service, epochs: UInt64, _ turn: inout Turn
  ) {
    let request = ReportRequest(service.activation, epochs: epochs)
    ask(errand, index, enclave(of: index), .getEnclaveStatus(request), &turn)
  }

  mutating func askForMaterial(
    _ errand: Errand, of epoch: EpochNumber, _ index: Int, _ service: Service, _ turn: inout Turn
  ) {
    let request = ReceiptsRequest(activation: service.activation, epoch: epoch)
    ask(errand, index, enclave(of: index), .getEpochMaterial(request), &turn)
  }

  /// A demand with own commitment; or the answer to one. A record that both signed answers for its epoch and all
  /// before, whoever demanded them, so it is shown where there is one: whoever opens receipts instead depends on the
  /// other side to open its own, and loses all later records when that one does not.
  mutating func materialArrived(
    _ errand: Errand, of epoch: EpochNumber, _ index: Int, _ service: Service, _ message: Message, _ turn: inout Turn
  ) {
    if case .enclaveStatus(let status) = message, case .answer = errand {
      guard let record = status.record, let signed = record.epoch, signed >= epoch,
        !purchases[index].demands.proofRefused
      else {
        return askForMaterial(errand, of: epoch, index, service, &turn)
      }
      let proof = ServiceProof(activation: service.activation, receipts: ReceiptSet([]), record: record)
      return declare(.startService(proof), for: errand, of: index, &turn)
    }
    guard case .epochMaterial(let material) = message, material.activation == service.activation,
      let commitment = material.commitment
    else { return retry(errand, of: index, &turn) }
    switch errand {
    case .demandRecord(material.epoch):
      let demand = RecordDemand(base: material.base, commitment: commitment, other: material.other)
      declare(.demandRecord(demand), for: errand, of: index, &turn)
    case .answer(material.epoch) where !material.receipts.receipts.isEmpty:
      let post = RecordPost(
        activation: service.activation, epoch: material.epoch, commitment: commitment, receipts: material.receipts)
      declare(.postRecord(post), for: errand, of: index, &turn)
    default: retry(errand, of: index, &turn)
    }
  }

  // MARK: The ledger

  /// - Parameter notice: of a demand, an answer to one, or CLOSING.
  mutating func demandNoticed(_ notice: LedgerNotice, _ turn: inout Turn) {
    switch notice {
    case .serviceDemanded(let activation):
      guard let index = payerIndex(activation) else { return }
      purchases[index].demands.service = true
      finish(.demandService, of: index)
    case .serviceStarted(let proof): if let record = proof.record { recordShown(record, of: proof.activation, &turn) }
    case .recordDemanded(let demand, let signer): recordDemanded(demand, by: signer, &turn)
    case .recordPosted(let post, let signer): recordPosted(post, by: signer, &turn)
    case .settlementPosted(let activation, let record?, let signer) where signer != key:
      guard let index = payerIndex(activation) else { return }
      compare(record, index, &turn)
    default: break
    }
  }

  private func payerIndex(_ activation: ActivationID) -> Int? {
    indexes[activation].flatMap { purchases[$0].part.isPayer ? $0 : nil }
  }

  private mutating func recordDemanded(_ demand: RecordDemand, by signer: PublicKey, _ turn: inout Turn) {
    guard let commitment = try? demand.commitment.decode(EpochCommitment.self),
      let index = payerIndex(commitment.activation)
    else { return }
    if let base = demand.base { recordShown(base.record, of: commitment.activation, &turn) }
    switch commitment.side {
    case .customer:
      // Also what an earlier life demanded.
      if !purchases[index].demands.own.contains(commitment.epoch) {
        purchases[index].demands.own.append(commitment.epoch)
      }
      finish(.demandRecord(commitment.epoch), of: index)
    case .networkOperator:
      add(.answer(commitment.epoch), to: index, &turn)
    }
  }

  /// A record that was shown, or receipts that were opened, stand in a block. Refused although nobody else's record
  /// answered, a record does not serve: receipts are opened while there is time.
  mutating func answerDecided(
    _ epoch: EpochNumber, of index: Int, _ action: Action?, _ result: TransactionResult, _ turn: inout Turn
  ) {
    guard case .startService? = action, result != .accepted,
      purchases[index].demands.shown.map({ $0 < epoch }) ?? true
    else { return }
    purchases[index].demands.proofRefused = true
    add(.answer(epoch), to: index, &turn)
  }

  /// The ledger holds a record that both signed, whoever brought it. This customer's enclave signed it last and so has
  /// it as well; what is demanded next comes after it.
  private mutating func recordShown(_ record: SignedRecord, of activation: ActivationID, _ turn: inout Turn) {
    guard let index = payerIndex(activation), let epoch = record.epoch else { return }
    // What answers a demand in CLOSING is what it pays by.
    if purchases[index].isClosing { compare(record, index, &turn) }
    purchases[index].demands.shown = max(purchases[index].demands.shown ?? 0, epoch)
    for case .answer(let answered) in purchases[index].errands.map(\.errand) where answered <= epoch {
      finish(.answer(answered), of: index)
    }
  }

  /// Whoever was asked opens first, then whoever demanded.
  private mutating func recordPosted(_ post: RecordPost, by signer: PublicKey, _ turn: inout Turn) {
    guard let index = payerIndex(post.activation),
      let commitment = try? post.commitment.decode(EpochCommitment.self)
    else { return }
    purchases[index].demands.opened(post.receipts, of: post.epoch, by: commitment.side)
    switch commitment.side {
    case .customer: finish(.answer(post.epoch), of: index)
    case .networkOperator where purchases[index].demands.own.contains(post.epoch):
      add(.answer(post.epoch), to: index, &turn)
    case .networkOperator: break
    }
    if purchases[index].demands.settling(post.activation, post.epoch) != nil {
      add(.settleEpoch(post.epoch), to: index, &turn)
    }
  }

  // MARK: CLOSING

  private mutating func compare(_ record: SignedRecord, _ index: Int, _ turn: inout Turn) {
    purchases[index].demands.closing = record
    add(.checkClosing, to: index, &turn)
  }

  /// The enclave's own record of that epoch, and where it differs for no reason what both are made from.
  mutating func closingChecked(
    _ errand: Errand, _ index: Int, _ service: Service, _ message: Message, _ turn: inout Turn
  ) {
    guard let closing = purchases[index].demands.closing, purchases[index].isClosing else {
      return finish(errand, of: index)
    }
    if case .epochMaterial(let material) = message, let grounds = material.recomputation(by: .customer) {
      return declare(.dispute(Dispute(activation: service.activation, grounds: grounds)), for: errand, of: index, &turn)
    }
    guard case .enclaveStatus(let status) = message, let own = status.record,
      let objection = ClosingObjection(to: closing, holding: own, against: .networkOperator)
    else { return finish(errand, of: index) }
    turn.note("\(purchases[index].part.label): the record in CLOSING is not the one its enclave has", .warning)
    switch objection {
    case .recompute(let epoch): askForMaterial(errand, of: epoch, index, service, &turn)
    case .contradiction(let first, let second):
      let dispute = Dispute(activation: service.activation, grounds: .contradiction(first, second))
      declare(.dispute(dispute), for: errand, of: index, &turn)
    }
  }
}
