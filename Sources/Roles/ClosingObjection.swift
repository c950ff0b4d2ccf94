import Messages
import Signing

/// What a side has against the record that CLOSING would pay by, going by the one it holds of that epoch itself
/// (sla.md, Dispute). Both bear both sides' signatures: without somebody else using an anchor's key, or an anchor that
/// signs two truths, there is never anything. A record of a higher epoch is no objection; it replaces the other.
enum ClosingObjection {
  /// Made of the same receipts after the same record, and yet judged or priced otherwise: whoever has the receipts lets
  /// the ledger compute it again, which sets all of its money right. A contradiction would leave the other amounts.
  case recompute(EpochNumber)
  /// Two statements of the other side's anchor that cannot both be true: the epoch counts against it. Also where both
  /// come to the same money, which computing again would not change.
  case contradiction(Envelope, Envelope)

  /// - Parameter side: the other one.
  init?(to posted: SignedRecord, holding held: SignedRecord, against side: AccountingSide) {
    guard let theirs = try? posted.byEdge.decode(JointRecord.self),
      let ours = try? held.byEdge.decode(JointRecord.self), theirs.epoch == ours.epoch, theirs != ours
    else { return nil }
    if theirs.sources == ours.sources, theirs.verdicts != ours.verdicts || theirs.segments != ours.segments {
      self = .recompute(ours.epoch)
      return
    }
    let (first, second) = (posted.envelope(of: side), held.envelope(of: side))
    guard first.signer != nil, first.signer == second.signer else { return nil }
    self = .contradiction(first, second)
  }
}

extension JointRecord {
  /// What a record is a function of, besides the contract.
  fileprivate var sources: [Digest] { [customerReceipts, operatorReceipts, previous] }
}

extension SignedRecord {
  /// The record's epoch; nil where it is none.
  var epoch: EpochNumber? { (try? byEnclave.decode(JointRecord.self))?.epoch }

  fileprivate func envelope(of side: AccountingSide) -> Envelope { side == .customer ? byEnclave : byEdge }
}
