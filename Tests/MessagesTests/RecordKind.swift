import Messages
import Signing
import Testing
import Wire

/// A record of the protocol, its type erased: what the encoding tests run over.
struct RecordKind: Sendable, CustomTestStringConvertible {
  let name: String
  /// Draws one, checks that decoding undoes encoding, and gives its bytes.
  let roundTrip: @Sendable (inout Draw) throws -> [UInt8]
  /// What the decoder makes of bytes, encoded again; nil when it refuses them.
  let reencoded: @Sendable ([UInt8]) -> [UInt8]?

  static let samples = 64

  var testDescription: String { name }

  init<Record: Sampled & WireCodable & Equatable>(_ type: Record.Type) {
    name = "\(type)"
    roundTrip = { draw in
      let record = Record.sample(&draw)
      guard try Record(decoding: record.encoded) == record else { throw NotUndone(type: "\(type)") }
      return record.encoded
    }
    reencoded = { (try? Record(decoding: $0))?.encoded }
  }

  struct NotUndone: Error {
    let type: String
  }

  static let all: [RecordKind] = [
    RecordKind(AccountBase.self),
    RecordKind(Action.self),
    RecordKind(ActivationChange.self),
    RecordKind(ActivationConsent.self),
    RecordKind(ActivationMoney.self),
    RecordKind(ActivationOrder.self),
    RecordKind(ActorAddress.self),
    RecordKind(AttestationEvidence.self),
    RecordKind(Ballot.self),
    RecordKind(Block.self),
    RecordKind(BlockBody.self),
    RecordKind(BlockHeader.self),
    RecordKind(BlockOutcomes.self),
    RecordKind(BlockRoom.self),
    RecordKind(BookingUpdate.self),
    RecordKind(BrokenAcknowledgement.self),
    RecordKind(Certificate.self),
    RecordKind(ClockQuality.self),
    RecordKind(CommitmentExchange.self),
    RecordKind(ConsensusEvidence.self),
    RecordKind(ConsensusMessage.self),
    RecordKind(ContextTerms.self),
    RecordKind(ContractDescription.self),
    RecordKind(ContractTerms.self),
    RecordKind(Conviction.self),
    RecordKind(DataAddress.self),
    RecordKind(DeadlineTerms.self),
    RecordKind(DelaySummary.self),
    RecordKind(Dispute.self),
    RecordKind(DisputeCase.self),
    RecordKind(EnclaveIdentity.self),
    RecordKind(EnclaveSession.self),
    RecordKind(EnclaveStatus.self),
    RecordKind(Enrolment.self),
    RecordKind(EntriesRequest.self),
    RecordKind(Envelope.self),
    RecordKind(EpochCommitment.self),
    RecordKind(EpochCounters.self),
    RecordKind(EpochMaterial.self),
    RecordKind(EpochSettling.self),
    RecordKind(EraRecord.self),
    RecordKind(FlowInvitation.self),
    RecordKind(FlowOpened.self),
    RecordKind(FlowOpening.self),
    RecordKind(Genesis.self),
    RecordKind(HandoverRequest.self),
    RecordKind(HistogramSpecification.self),
    RecordKind(Instant.self),
    RecordKind(InvalidProposal.self),
    RecordKind(InvalidProposalStatement.self),
    RecordKind(JointRecord.self),
    RecordKind(KeyRotation.self),
    RecordKind(LedgerEvent.self),
    RecordKind(LedgerSegment.self),
    RecordKind(Maintenance.self),
    RecordKind(Member.self),
    RecordKind(MemberChange.self),
    RecordKind(MeteringTerms.self),
    RecordKind(MoneyTerms.self),
    RecordKind(NetworkParameters.self),
    RecordKind(Organisation.self),
    RecordKind(PacketCounts.self),
    RecordKind(PacketRange.self),
    RecordKind(Proposal.self),
    RecordKind(Proposition.self),
    RecordKind(ProvenEntries.self),
    RecordKind(Quote.self),
    RecordKind(ReceiptReveal.self),
    RecordKind(ReceiptSet.self),
    RecordKind(ReceiptsRequest.self),
    RecordKind(ReceiptsRevealed.self),
    RecordKind(RecommendedRequirements.self),
    RecordKind(RecordDemand.self),
    RecordKind(RecordPost.self),
    RecordKind(RecordSubmission.self),
    RecordKind(RegulatorMeasure.self),
    RecordKind(RegulatorOrder.self),
    RecordKind(RemoteError.self),
    RecordKind(ReportRequest.self),
    RecordKind(Reproposal.self),
    RecordKind(RoundTrips.self),
    RecordKind(Rule.self),
    RecordKind(RuleCounters.self),
    RecordKind(SLAReceipt.self),
    RecordKind(SegmentAccount.self),
    RecordKind(SegmentOrder.self),
    RecordKind(ServiceOrder.self),
    RecordKind(ServiceProof.self),
    RecordKind(ServiceReport.self),
    RecordKind(ServiceRoute.self),
    RecordKind(ServiceTerms.self),
    RecordKind(SessionEnding.self),
    RecordKind(SettlementAgreement.self),
    RecordKind(SignedRecord.self),
    RecordKind(SignedTransaction.self),
    RecordKind(SliceConfirmation.self),
    RecordKind(SliceHandover.self),
    RecordKind(SliceRejection.self),
    RecordKind(SnapshotChunk.self),
    RecordKind(SnapshotChunkRequest.self),
    RecordKind(SnapshotManifest.self),
    RecordKind(SnapshotRequest.self),
    RecordKind(Span.self),
    RecordKind(SparseHistogram.self),
    RecordKind(StatusItem.self),
    RecordKind(SubmissionAcknowledgement.self),
    RecordKind(SubnetElement.self),
    RecordKind(SubnetOrder.self),
    RecordKind(SubnetRelease.self),
    RecordKind(TimeWindow.self),
    RecordKind(Traffic.self),
    RecordKind(Transaction.self),
    RecordKind(Vote.self),
    RecordKind(WitnessedAcknowledgement.self),
  ]
}
