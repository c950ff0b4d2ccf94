import Effects
import Messages
import Metering
import Signing
import Slicing

/// DemandService, DemandRecord, Dispute: who is silent loses by a deadline on the ledger (sla.md, "The activation").
/// The operator's side of it: it answers what is demanded of it with what its anchor edge holds, and demands itself
/// when the customer's side stops making records.
///
/// A record of epoch e is due by the end of e + 1 (epoch rule 8). The operator waits for as long again as the contract
/// gives anybody to answer before it goes to the ledger: an enclave that restarts is not a customer that withholds.
/// It never terminates by itself, see ``CustomerCore``'s side of this.
extension ControllerCore {
  enum MaterialPurpose: Sendable {
    /// StartService by signed receipts.
    case proof
    case demand
    case post
    /// Dispute by the receipts of both sides.
    case dispute
  }

  /// - Returns: when it is to be looked at again.
  mutating func advanceDemands(_ activation: ActivationID, _ turn: inout Turn) -> Instant? {
    guard let job = jobs[activation], let service = job.service else { return nil }
    if job.isClosing, let (first, second) = job.demands.contradiction, job.errand(.dispute) == nil {
      let dispute = Dispute(activation: activation, grounds: .contradiction(first, second))
      submit(.dispute(dispute), for: .dispute, of: activation)
      return turn.now
    }
    guard job.question == nil else { return nil }
    if job.isClosing, job.demands.closing != nil, job.errand(.dispute) == nil {
      guard turn.now >= job.notBefore else { return job.notBefore }
      let (about, message) = askReport(.closing, of: activation)
      ask(about, message, of: activation, &turn)
      return nil
    }
    guard job.demands.isWaiting else { return look(activation, job, service, &turn) }
    guard job.errand(.startService) == nil else { return nil }
    let due = max(job.notBefore, job.demands.nextProof ?? .zero)
    guard turn.now >= due else { return due }
    let (about, message) = askReport(.proof, of: activation)
    ask(about, message, of: activation, &turn)
    return nil
  }

  private mutating func askMaterial(
    _ activation: ActivationID, _ epoch: EpochNumber, _ purpose: MaterialPurpose, _ turn: inout Turn
  ) {
    let request = ReceiptsRequest(activation: activation, epoch: epoch)
    ask(.material(activation, epoch, purpose), .getEpochMaterial(request), of: activation, &turn)
  }

  // MARK: What answers

  /// A record that both signed answers every demand up to its epoch, whosever turn it is: no journal need be opened,
  /// and a demander that stays silent afterwards undoes nothing. Where there is none, this side opens its receipts if
  /// it is its turn, and asks again from time to time for as long as a demand waits.
  mutating func proofReported(_ activation: ActivationID, _ report: ServiceReport?, _ turn: inout Turn) {
    guard let job = jobs[activation], job.demands.isWaiting else { return }
    guard let report else { return askLater(activation, &turn) }
    if let record = report.record, job.demands.isAnswered(by: record) {
      let proof = ServiceProof(activation: activation, receipts: ReceiptSet([]), record: record)
      return submit(.startService(proof), for: .startService, of: activation)
    }
    jobs[activation]?.demands.nextProof = nil
    if let epoch = job.demands.ourTurns.first(where: { job.errand(.post($0)) == nil }) {
      return askMaterial(activation, epoch, .post, &turn)
    }
    if job.demands.serviceDemanded {
      guard let closed = lastClosedEpoch(job, turn.now) else { return askLater(activation, &turn) }
      return askMaterial(activation, closed, .proof, &turn)
    }
    jobs[activation]?.demands.nextProof = turn.now + max(job.terms.deadlines.answerWithin / 8, .milliseconds(1))
  }

  /// StartService: a record answers whatever is demanded up to its epoch, receipts the demand for service.
  mutating func serviceStarted(_ proof: ServiceProof) {
    jobs[proof.activation]?.demands.serviceDemanded = false
    if let record = proof.record {
      recordShown(record, of: proof.activation, answering: true)
      // What answers a demand in CLOSING is what it pays by.
      if jobs[proof.activation]?.isClosing == true { jobs[proof.activation]?.demands.closing = record }
    }
  }

  /// A record that both sides signed stands on the ledger: the anchor edge, which may have waited in vain for the
  /// enclave's signature, goes on from there. Without that a customer could withhold its signature, demand the next
  /// epoch, and the edge would have nothing to open.
  /// - Parameter answering: the ledger takes it for an answer to every demand up to its epoch.
  mutating func recordShown(_ signed: SignedRecord, of activation: ActivationID, answering: Bool) {
    guard let epoch = try? signed.byEnclave.decode(JointRecord.self).epoch, let job = jobs[activation] else { return }
    if answering { jobs[activation]?.demands.open = job.demands.open.filter { $0.key > epoch } }
    guard job.demands.shown.map({ $0 < epoch }) ?? true, let anchor = job.service?.parties.anchorEdge,
      let place = place(anchor)
    else { return }
    jobs[activation]?.demands.shown = epoch
    assign(.record(RecordSubmission(record: signed.byEnclave)), to: place.address, of: activation)
    touched.append(activation)
  }

  private func lastClosedEpoch(_ job: Job, _ now: Instant) -> EpochNumber? {
    guard let startAt = job.service?.confirmation.startAt else { return nil }
    let elapsed = (now - job.terms.metering.grace - startAt).nanoseconds / job.terms.metering.epoch.nanoseconds
    return elapsed < 1 ? nil : min(EpochNumber(elapsed), job.epochs) - 1
  }

  // MARK: DemandRecord

  mutating func recordDemanded(_ demand: RecordDemand, by signer: PublicKey, _ turn: inout Turn) {
    guard let commitment = try? demand.commitment.decode(EpochCommitment.self) else { return }
    if let base = demand.base { recordShown(base.record, of: commitment.activation, answering: true) }
    guard let demands = jobs[commitment.activation]?.demands else { return }
    guard demands.open[commitment.epoch] != nil || demands.open.count < Demands.maximumOpen else {
      return turn.count("controller.tooManyDemands")
    }
    var open = demands.open[commitment.epoch] ?? OpenDemand()
    if isOwn(signer) {
      open.byOperator = true
      jobs[commitment.activation]?.demands.raised.insert(commitment.epoch)
    } else {
      open.byCustomer = demand.commitment
    }
    jobs[commitment.activation]?.demands.open[commitment.epoch] = open
    jobs[commitment.activation]?.demands.isNew()
    touched.append(commitment.activation)
  }

  mutating func recordPosted(_ post: RecordPost, by signer: PublicKey) {
    guard var open = jobs[post.activation]?.demands.open[post.epoch] else { return }
    if isOwn(signer) { open.postedByOperator = post } else { open.postedByCustomer = post }
    jobs[post.activation]?.demands.open[post.epoch] = open
    touched.append(post.activation)
    guard let own = open.postedByOperator, let other = open.postedByCustomer else { return }
    // The record of the epoch follows from what both have opened: the edge goes on from there.
    jobs[post.activation]?.demands.open[post.epoch] = nil
    let settling = EpochSettling(
      activation: post.activation, epoch: post.epoch, customer: other.receipts, networkOperator: own.receipts)
    guard let anchor = jobs[post.activation]?.service?.parties.anchorEdge, let place = place(anchor) else { return }
    assign(.settle(settling), to: place.address, of: post.activation)
  }

  /// What the anchor edge holds of the epoch.
  mutating func materialArrived(
    _ activation: ActivationID, _ epoch: EpochNumber, _ purpose: MaterialPurpose,
    _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) {
    guard let job = jobs[activation] else { return }
    guard case .success(let message) = result, case .epochMaterial(let material) = message.value,
      material.activation == activation, material.epoch == epoch, !material.receipts.receipts.isEmpty
    else { return askLater(activation, &turn) }
    jobs[activation]?.questionBackoff.succeeded()
    switch purpose {
    case .proof where job.demands.serviceDemanded:
      let proof = ServiceProof(activation: activation, receipts: material.receipts, record: nil)
      submit(.startService(proof), for: .startService, of: activation)
    case .post where job.demands.open[epoch]?.isOurTurn ?? false:
      guard let commitment = material.commitment else { return askLater(activation, &turn) }
      compare(material, with: job.demands.open[epoch]?.byCustomer, activation)
      let post = RecordPost(
        activation: activation, epoch: epoch, commitment: commitment, receipts: material.receipts)
      submit(.postRecord(post), for: .post(epoch), of: activation)
    case .demand where !job.demands.raised.contains(epoch):
      guard let commitment = material.commitment else { return askLater(activation, &turn) }
      let demand = RecordDemand(base: material.base, commitment: commitment, other: material.other)
      submit(.demandRecord(demand), for: .demand(epoch), of: activation)
    case .dispute where job.isClosing:
      guard let grounds = material.recomputation(by: .networkOperator) else { break }
      submit(.dispute(Dispute(activation: activation, grounds: grounds)), for: .dispute, of: activation)
    case .proof, .post, .demand, .dispute: break
    }
    advance(activation, &turn)
  }

  /// The edge's own record of the epoch in CLOSING, or nothing: then there is nothing to say about it.
  mutating func closingReported(_ activation: ActivationID, _ report: ServiceReport?, _ turn: inout Turn) {
    guard let report else { return askLater(activation, &turn) }
    guard let closing = jobs[activation]?.demands.closing else { return }
    jobs[activation]?.demands.closing = nil
    guard let held = report.record,
      let objection = ClosingObjection(to: closing, holding: held, against: .customer)
    else { return }
    turn.note("the record in CLOSING of \(activation.short) is not the one its edge has", .warning)
    switch objection {
    case .recompute(let epoch): askMaterial(activation, epoch, .dispute, &turn)
    case .contradiction(let first, let second): jobs[activation]?.demands.contradiction = (first, second)
    }
  }

  /// The customer's enclave has committed to one set of receipts towards the edge and to another on the ledger.
  private mutating func compare(_ material: EpochMaterial, with shown: Envelope?, _ activation: ActivationID) {
    guard let shown, let held = material.other, shown.signer == held.signer,
      let left = try? shown.decode(EpochCommitment.self), let right = try? held.decode(EpochCommitment.self),
      left.epoch == right.epoch, left.side == right.side, left.receipts != right.receipts
    else { return }
    jobs[activation]?.demands.contradiction = (held, shown)
  }

  // MARK: Silence

  /// Looks from time to time whether records still come.
  private mutating func look(
    _ activation: ActivationID, _ job: Job, _ service: Service, _ turn: inout Turn
  ) -> Instant? {
    let interval = max(job.terms.deadlines.answerWithin, job.terms.metering.epoch)
    let first = service.confirmation.startAt + job.terms.metering.epoch * 2 + interval
    let due = max(job.demands.nextLook ?? first, job.notBefore)
    guard turn.now >= due else { return due }
    jobs[activation]?.demands.nextLook = turn.now + interval
    let (about, message) = askReport(.look, of: activation)
    ask(about, message, of: activation, &turn)
    return nil
  }

  /// Demands the first epoch without a record when it is overdue.
  mutating func lookReported(_ activation: ActivationID, _ report: ServiceReport?, _ turn: inout Turn) {
    guard let job = jobs[activation], let report, !job.isSettling else { return }
    let epoch = report.record.flatMap { try? $0.byEdge.decode(JointRecord.self).epoch + 1 } ?? 0
    guard epoch < job.epochs, !job.demands.raised.contains(epoch), job.demands.open[epoch] == nil,
      job.errand(.demand(epoch)) == nil, let begins = job.start(of: epoch + 2),
      turn.now >= begins + job.terms.deadlines.answerWithin
    else { return }
    askMaterial(activation, epoch, .demand, &turn)
  }
}

extension ControllerCore.Demands {
  /// Some demand has no answer yet.
  var isWaiting: Bool { serviceDemanded || !open.isEmpty }

  /// Epochs whose receipts are this operator's to open now, ascending.
  var ourTurns: [EpochNumber] { open.keys.sorted().filter { open[$0]?.isOurTurn ?? false } }

  /// Any record shows service.
  func isAnswered(by signed: SignedRecord) -> Bool {
    guard !proofRefused, let epoch = try? signed.byEdge.decode(JointRecord.self).epoch else { return false }
    return serviceDemanded || open.keys.contains { $0 <= epoch }
  }

  mutating func demandedService() {
    serviceDemanded = true
    isNew()
  }

  /// The edge is asked at once, and a record that the ledger refused for another demand is tried for this one.
  mutating func isNew() {
    nextProof = nil
    proofRefused = false
  }

  /// No demand waits on the ledger any more: answered, or lost.
  mutating func lapsed() {
    open = [:]
    serviceDemanded = false
  }
}
