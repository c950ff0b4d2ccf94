import Signing
import Wire

/// A member's answer to a submission: "this transaction waits here, and every block that I lead from this view on
/// carries it, as long as it may." Made durable, with the transaction, before it is said.
public struct SubmissionAcknowledgement: Hashable, SignedPayload {
  public static let kind = MessageKind.submissionAcknowledgement

  /// SHA-256 of the transaction's envelope.
  public let transaction: Digest
  public let era: Era
  /// Above every view in which the member has signed anything: every block it leads from here on is made with the
  /// transaction at hand.
  public let view: View

  public init(transaction: Digest, era: Era, view: View) {
    self.transaction = transaction
    self.era = era
    self.view = view
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(3)
    writer.write(transaction)
    writer.write(era)
    writer.write(view)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(3) { (reader) throws(WireError) in
      SubmissionAcknowledgement(transaction: try reader.value(), era: try reader.uint(), view: try reader.uint())
    }
  }
}

/// An acknowledgement and what it is of: what a customer hands to other members when its transaction does not come, so
/// that they watch the one that gave it.
public struct WitnessedAcknowledgement: Hashable, Sendable, WireCodable {
  public let acknowledgement: SignedMessage<SubmissionAcknowledgement>
  public let transaction: SignedTransaction

  public init(acknowledgement: SignedMessage<SubmissionAcknowledgement>, transaction: SignedTransaction) {
    self.acknowledgement = acknowledgement
    self.transaction = transaction
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(acknowledgement)
    writer.write(transaction)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      WitnessedAcknowledgement(acknowledgement: try reader.value(), transaction: try reader.value())
    }
  }
}

extension WitnessedAcknowledgement: Verifiable {
  public func signatureChecks(in context: VerificationContext) throws(VerificationError) -> [SignatureCheck] {
    try acknowledgement.signatureChecks(in: context) + transaction.signatureChecks(in: context)
  }
}

/// The whole proof that a member broke an acknowledgement: a certified block that it led at or after the view it named,
/// on whose parent the transaction was includable, with room, and without it.
public struct BrokenAcknowledgement: Hashable, Sendable, WireCodable {
  /// ``SubmissionAcknowledgement``, by the leader of the block.
  public var acknowledgement: Envelope
  public var transaction: Envelope
  /// Of the block's parent: its state root is what the transaction was includable on.
  public var parent: BlockHeader
  public var header: BlockHeader
  /// A notarization or finalization of the block: a quorum saw its leader propose it.
  public var certificate: Certificate
  /// RFC 9162 leaf hashes of all the block's transactions, in order: the transaction is not among them.
  public var transactions: [Digest]
  /// How much of the block's room was used.
  public var room: BlockRoom
  /// That ``room`` is what the header's outcomes root commits to.
  public var roomProof: MerkleTree.InclusionProof
  /// Of the parent's state: who the signer was.
  public var signer: KeyedMerkleProof
  /// Of the parent's state: that the nonce was not used.
  public var nonce: KeyedMerkleProof

  public init(
    acknowledgement: Envelope, transaction: Envelope, parent: BlockHeader, header: BlockHeader,
    certificate: Certificate, transactions: [Digest], room: BlockRoom, roomProof: MerkleTree.InclusionProof,
    signer: KeyedMerkleProof, nonce: KeyedMerkleProof
  ) {
    self.acknowledgement = acknowledgement
    self.transaction = transaction
    self.parent = parent
    self.header = header
    self.certificate = certificate
    self.transactions = transactions
    self.room = room
    self.roomProof = roomProof
    self.signer = signer
    self.nonce = nonce
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(10)
    writer.write(acknowledgement)
    writer.write(transaction)
    writer.write(parent)
    writer.write(header)
    writer.write(certificate)
    writer.write(list: transactions)
    writer.write(room)
    writer.write(roomProof)
    writer.write(signer)
    writer.write(nonce)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(10) { (reader) throws(WireError) in
      BrokenAcknowledgement(
        acknowledgement: try reader.value(), transaction: try reader.value(), parent: try reader.value(),
        header: try reader.value(), certificate: try reader.value(),
        transactions: try reader.list(maximum: BlockBody.maximumTransactions), room: try reader.value(),
        roomProof: try reader.value(), signer: try reader.value(), nonce: try reader.value())
    }
  }
}

/// What a block has used of its room (Ledger's `BlockAdmission`). Every member computes it when it executes the block,
/// so it can be held against a leader that says there was none.
public struct BlockRoom: Hashable, Sendable, WireCodable {
  /// Envelopes of all transactions.
  public var bytes: UInt64
  /// Transactions that stand in no kept place.
  public var ordinary: UInt64
  /// Envelopes of those.
  public var ordinaryBytes: UInt64
  /// Organisations that have as many in the block as they may, ascending.
  public var exhausted: [OrganisationID]

  public static let unused = BlockRoom(bytes: 0, ordinary: 0, ordinaryBytes: 0, exhausted: [])

  public init(bytes: UInt64, ordinary: UInt64, ordinaryBytes: UInt64, exhausted: [OrganisationID]) {
    self.bytes = bytes
    self.ordinary = ordinary
    self.ordinaryBytes = ordinaryBytes
    self.exhausted = exhausted
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(4)
    writer.write(bytes)
    writer.write(ordinary)
    writer.write(ordinaryBytes)
    writer.write(list: exhausted)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(4) { (reader) throws(WireError) in
      BlockRoom(
        bytes: try reader.uint(), ordinary: try reader.uint(), ordinaryBytes: try reader.uint(),
        exhausted: try reader.list(maximum: BlockBody.maximumTransactions))
    }
  }
}
