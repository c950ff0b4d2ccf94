import Ledger
import Messages

/// Transactions as people read them, in sla.md's names.
extension Action {
  var name: String {
    switch self {
    case .enrol: "Enrol"
    case .deployContract: "DeployContract"
    case .setContractStatus: "SetContractStatus"
    case .registerEnclave: "RegisterEnclave"
    case .transfer: "Transfer"
    case .activate: "Activate"
    case .confirmSlice: "ConfirmSlice"
    case .rejectSlice: "RejectSlice"
    case .terminate: "Terminate"
    case .settleAgreed, .settleByRecord: "Settle"
    case .extend: "Extend"
    case .renegotiate: "Renegotiate"
    case .demandService: "DemandService"
    case .startService: "StartService"
    case .demandRecord: "DemandRecord"
    case .postRecord: "PostRecord"
    case .dispute: "Dispute"
    case .announceMaintenance: "AnnounceMaintenance"
    case .handOver: "HandOver"
    case .changeMembers: "ChangeMembers"
    case .rotateKey: "RotateKey"
    case .proveReady: "ProveReady"
    case .reportEvidence: "ReportEvidence"
    case .regulatorAction: "RegulatorAction"
    }
  }

  func details(_ state: LedgerState) -> String {
    switch self {
    case .enrol(let enrolment): "key \(enrolment.key.short) as \(enrolment.role)"
    case .deployContract(let terms): "\(state.name(terms.operatorID))/\(terms.service.profile) \(terms.id.short)"
    case .setContractStatus(let contract, let status): "\(state.name(contract)) \(status)"
    case .registerEnclave(let evidence):
      (try? evidence.decode(AttestationEvidence.self)).map { "receipt key \($0.receiptKey.short)" } ?? "unreadable"
    case .transfer(let receiver, let amount): "\(amount) to \(state.name(receiver))"
    case .activate(let order):
      "\(order.epochs) epochs of \(state.name(order.contract)), \(order.cell) to \(order.peer)"
    case .confirmSlice(let confirmation): "\(confirmation.activation.short), plan \(confirmation.planHash.short)"
    case .rejectSlice(let rejection): "\(rejection.activation.short), \(Wording.reason(rejection.reason))"
    case .terminate(let activation): activation.short
    case .settleAgreed(let byCustomer, _):
      (try? byCustomer.decode(SettlementAgreement.self)).map { "\($0.activation.short), agreed" } ?? "unreadable"
    case .settleByRecord(let activation, let record):
      "\(activation.short), \(record == nil ? "without a record" : "by the last record")"
    case .extend(let byCustomer, _), .renegotiate(let byCustomer, _):
      (try? byCustomer.decode(SegmentOrder.self)).map { segment in
        "\(segment.activation.short), \(segment.epochs) epochs of \(state.name(segment.contract))"
      } ?? "unreadable"
    case .demandService(let activation): activation.short
    case .startService(let proof): "\(proof.activation.short), \(proof.record == nil ? "by receipts" : "by a record")"
    case .demandRecord(let demand):
      (try? demand.commitment.decode(EpochCommitment.self)).map { "\($0.activation.short), epoch \($0.epoch)" }
        ?? "unreadable"
    case .postRecord(let post): "\(post.activation.short), epoch \(post.epoch)"
    case .dispute(let dispute):
      switch dispute.grounds {
      case .recompute: "\(dispute.activation.short), by recomputing the record"
      case .contradiction: "\(dispute.activation.short), by two statements of one signer"
      }
    case .announceMaintenance(let maintenance): "of \(maintenance.cells.joined(separator: ", "))"
    case .handOver(let handover):
      "\(handover.activation.short), \(handover.end) end to \(handover.cell) from epoch \(handover.from)"
    case .changeMembers(let approvals):
      (try? approvals.first?.decode(MemberChange.self)).map { change in
        let joining = change.joining.map { "+\($0.name)" }
        let leaving = change.leaving.map { "-\($0.short)" }
        return "\((joining + leaving).joined(separator: " ")), \(approvals.count) approvals"
      } ?? "unreadable"
    case .rotateKey(let consent):
      (try? consent.decode(KeyRotation.self)).map { "\($0.old.short) to \($0.new.short)" } ?? "unreadable"
    case .proveReady(let block): "has block \(block.short)"
    case .reportEvidence(let evidence): "view \(evidence.view), proof \(evidence.digest.short)"
    case .regulatorAction(let approvals):
      (try? approvals.first?.decode(RegulatorOrder.self)).map { order in
        "\(Self.words(order.measure, state)), \(approvals.count) approvals: \(order.reason)"
      } ?? "unreadable"
    }
  }

  private static func words(_ measure: RegulatorMeasure, _ state: LedgerState) -> String {
    switch measure {
    case .suspendContract(let contract): "suspend \(state.name(contract))"
    case .restoreContract(let contract): "restore \(state.name(contract))"
    case .freezeSettlement(let activation, let span): "freeze \(activation.short) for \(Wording.seconds(span))"
    case .openAudit(let activation): "audit \(activation.short)"
    }
  }
}
