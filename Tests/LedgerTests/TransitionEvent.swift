import Ledger
import Messages
import Signing

/// Everything that can happen to an activation, by everyone who might try.
enum TransitionEvent: String, CaseIterable {
  case confirm = "ConfirmSlice by the operator"
  case confirmByOther = "ConfirmSlice by another operator"
  case confirmTwoEnds = "ConfirmSlice by the operator, with an edge for a far end"
  case reject = "RejectSlice by the operator"
  case rejectByCustomer = "RejectSlice by the customer"
  case terminateByCustomer = "Terminate by the customer"
  case terminateByOperator = "Terminate by the operator"
  case terminateByStranger = "Terminate by a stranger"
  case extend = "Extend by 5 epochs, both"
  case extendAgain = "Extend by 5 epochs, both, as the third segment"
  case extendByOne = "Extend, signed by the customer alone"
  case renegotiate = "Renegotiate to the dearer contract, both"
  case renegotiateByOne = "Renegotiate, signed by the operator alone"
  case handOver = "HandOver of the near end from epoch 6 on, by the operator"
  case handOverLate = "HandOver of the near end from epoch 3 on, by the operator"
  case handOverByCustomer = "HandOver by the customer"
  case demandService = "DemandService by the customer"
  case demandServiceByOperator = "DemandService by the operator"
  case startService = "StartService by the operator, signed record of epoch 0"
  case startServiceByCustomer = "StartService by the customer"
  case demandRecord = "DemandRecord of epoch 0 by the customer"
  case demandRecordByOperator = "DemandRecord of epoch 0 by the operator"
  case demandRecordByStranger = "DemandRecord by a stranger"
  case postRecord = "PostRecord of epoch 0 by the operator"
  case postRecordByCustomer = "PostRecord of epoch 0 by the customer"
  case postRecordOther = "PostRecord of epoch 0 by the operator, of what is no receipt"
  case dispute = "Dispute by the customer, two commitments of the edge for epoch 0"
  case disputeByStranger = "Dispute by a stranger"
  case computeAgain = "Dispute by the operator, epoch 0 computed again"
  case agreeOnNothing = "Settle, both, no record"
  case agree = "Settle, both, 2 MET 1 VIOLATED"
  case settleBare = "Settle, one side, no record"
  case settleBareByStranger = "Settle, a stranger, no record"
  case settleByStranger = "Settle, a stranger, signed record of epoch 2"
  case settleByOld = "Settle, one side, signed record of epoch 0"
  case settleByForged = "Settle, one side, record of epoch 9 signed by the edge alone"
  case freeze = "RegulatorAction by both regulators, freeze for 100 s"
  case freezeLong = "RegulatorAction by both regulators, freeze beyond the maximum"
  case freezeAlone = "RegulatorAction by one regulator, freeze for 100 s"
  case audit = "RegulatorAction by both regulators, open an audit"
  case silence = "nobody does anything for 200 s"

  private static let operatorKey = "operator-0 controller"
  private static let customerKey = "hospital treasury"
  private static let stranger = "platoon treasury"

  /// - Returns: nil for silence.
  func action(on id: ActivationID, _ world: World) throws -> (Action, author: String)? {
    let (operatorKey, customerKey, stranger) = (Self.operatorKey, Self.customerKey, Self.stranger)
    switch self {
    case .confirm: return (.confirmSlice(world.confirmation(id)), operatorKey)
    case .confirmByOther: return (.confirmSlice(world.confirmation(id)), "operator-1 controller")
    case .confirmTwoEnds:
      return (.confirmSlice(world.confirmation(id, peerEdge: "operator-0 edge 2")), operatorKey)
    case .reject, .rejectByCustomer:
      let rejection = SliceRejection(activation: id, reason: .capacity, recommended: nil)
      return (.rejectSlice(rejection), self == .reject ? operatorKey : customerKey)
    case .terminateByCustomer: return (.terminate(id), customerKey)
    case .terminateByOperator: return (.terminate(id), operatorKey)
    case .terminateByStranger: return (.terminate(id), stranger)
    case .extend: return (world.extend(world.segmentOrder(id, World.terms().id)), stranger)
    case .extendAgain:
      let current = world.state.activation(id)?.segments.last?.contract ?? World.terms().id
      return (world.extend(world.segmentOrder(id, current, index: 2)), stranger)
    case .extendByOne:
      let (byCustomer, _) = world.signatures(world.segmentOrder(id, World.terms().id))
      return (.extend(byCustomer: byCustomer, byOperator: byCustomer), customerKey)
    case .renegotiate: return (world.renegotiate(world.segmentOrder(id, World.dearerTerms().id)), stranger)
    case .renegotiateByOne:
      let (_, byOperator) = world.signatures(world.segmentOrder(id, World.dearerTerms().id))
      return (.renegotiate(byCustomer: byOperator, byOperator: byOperator), operatorKey)
    case .handOver: return (world.handover(id, from: 6), operatorKey)
    case .handOverLate: return (world.handover(id, from: 3), operatorKey)
    case .handOverByCustomer: return (world.handover(id, from: 6), customerKey)
    case .demandService, .demandServiceByOperator, .startService, .startServiceByCustomer, .demandRecord,
      .demandRecordByOperator, .demandRecordByStranger, .postRecord, .postRecordByCustomer, .postRecordOther,
      .dispute, .disputeByStranger, .computeAgain:
      return try demand(on: id, world)
    case .agreeOnNothing: return (world.agreement(id, nil), stranger)
    case .agree: return (world.agreement(id, try world.record(id, met: 2, violated: 1)), customerKey)
    case .settleBare: return (.settleByRecord(id, nil), operatorKey)
    case .settleBareByStranger: return (.settleByRecord(id, nil), stranger)
    case .settleByStranger: return (.settleByRecord(id, world.signed(try world.record(id, met: 3))), stranger)
    case .settleByOld: return (.settleByRecord(id, world.signed(try world.record(id, met: 1))), customerKey)
    case .settleByForged:
      let record = world.signed(try world.record(id, met: 10), enclave: "operator-0 edge")
      return (.settleByRecord(id, record), operatorKey)
    case .freeze: return (world.freeze(id, for: .seconds(100)), "regulator validator")
    case .freezeLong:
      return (world.freeze(id, for: world.genesis.parameters.maximumFreeze + .seconds(1)), "regulator validator")
    case .freezeAlone: return (world.freeze(id, for: .seconds(100), by: ["regulator"]), "regulator validator")
    case .audit: return (world.measure(.openAudit(id), by: World.bothRegulators), "regulator validator")
    case .silence: return nil
    }
  }

  /// Demands, their answers, and disputes.
  private func demand(on id: ActivationID, _ world: World) throws -> (Action, author: String)? {
    let (operatorKey, customerKey, stranger) = (Self.operatorKey, Self.customerKey, Self.stranger)
    let proof = ServiceProof(
      activation: id, receipts: ReceiptSet([]), record: world.signed(try world.record(id, met: 1)))
    switch self {
    case .demandService: return (.demandService(id), customerKey)
    case .demandServiceByOperator: return (.demandService(id), operatorKey)
    case .startService: return (.startService(proof), operatorKey)
    case .startServiceByCustomer: return (.startService(proof), customerKey)
    case .demandRecord: return (world.demand(id, by: .customer), customerKey)
    case .demandRecordByOperator: return (world.demand(id, by: .networkOperator), operatorKey)
    case .demandRecordByStranger: return (world.demand(id, by: .customer), stranger)
    case .postRecord: return (world.post(id, by: .networkOperator), operatorKey)
    case .postRecordByCustomer: return (world.post(id, by: .customer), customerKey)
    case .postRecordOther:
      let other = ReceiptSet([world.commitment(id, .networkOperator)])
      return (world.post(id, by: .networkOperator, receipts: other), operatorKey)
    case .computeAgain:
      let grounds = DisputeCase.recompute(base: nil, customer: ReceiptSet([]), networkOperator: ReceiptSet([]))
      return (.dispute(Dispute(activation: id, grounds: grounds)), operatorKey)
    case .dispute: return (world.contradiction(id), customerKey)
    case .disputeByStranger: return (world.contradiction(id), stranger)
    default: return nil
    }
  }
}

extension World {
  static let bothRegulators = ["regulator", "regulator-1"]

  func measure(_ measure: RegulatorMeasure, by names: [String]) -> Action {
    let order = RegulatorOrder(measure: measure, reason: "complaint 17", expiry: state.height + 100)
    return .regulatorAction(
      approvals: names.map {
        Envelope(signing: order, with: Self.key("\($0) validator"), network: genesis.networkID)
      })
  }

  func freeze(_ id: ActivationID, for span: Span, by names: [String] = bothRegulators) -> Action {
    measure(.freezeSettlement(id, span), by: names)
  }

  /// A side's commitment to its receipts of epoch 0; by default to no receipts at all.
  func commitment(
    _ id: ActivationID, _ side: AccountingSide, receipts: Digest = ReceiptSet([]).digest
  ) -> Envelope {
    let commitment = EpochCommitment(
      activation: id, epoch: 0, side: side, receipts: receipts, previousRecord: .zero)
    let signer = side == .customer ? "hospital enclave" : "operator-0 edge"
    return Envelope(signing: commitment, with: Self.key(signer), network: genesis.networkID)
  }

  /// The edge committed to two sets of receipts for epoch 0.
  func contradiction(_ id: ActivationID) -> Action {
    let grounds = DisputeCase.contradiction(
      commitment(id, .networkOperator), commitment(id, .networkOperator, receipts: Digest(hashing: [1])))
    return .dispute(Dispute(activation: id, grounds: grounds))
  }

  /// "Open your receipts of epoch 0."
  func demand(_ id: ActivationID, by side: AccountingSide) -> Action {
    .demandRecord(RecordDemand(base: nil, commitment: commitment(id, side), other: nil))
  }

  /// Opens a commitment to no receipts at all: the side counted nothing.
  func post(_ id: ActivationID, by side: AccountingSide, receipts: ReceiptSet = ReceiptSet([])) -> Action {
    let commitment = commitment(id, side, receipts: receipts.digest)
    return .postRecord(RecordPost(activation: id, epoch: 0, commitment: commitment, receipts: receipts))
  }
}
