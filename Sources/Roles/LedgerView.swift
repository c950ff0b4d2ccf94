import Effects
import Messages
import Signing
import Wire

/// What a party that does not execute needs to know of the ledger, read from finalized blocks: the transactions that
/// were accepted and the events they and the deadlines gave.
///
/// Thousands of parties read every block and each is concerned by next to nothing in it. So a transaction is looked at
/// first (``Glance``: who, what, about which activation or contract), and hashed and decoded only for who wants it.
struct LedgerView: Sendable {
  /// What a transaction is about, from its first bytes.
  struct Glance {
    /// The kinds a reader tells apart, by ``Action/number``.
    enum Kind: UInt64 {
      case deployContract = 2
      case setContractStatus = 3
      case extend = 10
      case renegotiate = 11
      case demandRecord = 14
      case announceMaintenance = 17
      case activate = 20
    }

    let signer: PublicKey
    /// ``Action/number``
    let number: UInt64
    /// Nil: one that matters only to its signer and to those whose activation it names.
    let kind: Kind?
    /// The identity that the action's first field is or begins with: an activation, or for an Activate the contract;
    /// nil where it begins with something else.
    let subject: Bytes32?

    init?(_ envelope: Envelope) {
      guard let signer = envelope.signer, var reader = try? CBORReader(envelope.payload) else { return nil }
      let head: (number: UInt64, subject: Bytes32?)? = try? reader.record(3) { (reader) throws(WireError) in
        _ = try reader.uint()
        _ = try reader.uint()
        return try reader.array(maximum: 8) { (reader, _) throws(WireError) in
          (try reader.uint(), Self.subject(&reader))
        }
      }
      guard let head else { return nil }
      self.signer = signer
      number = head.number
      kind = Kind(rawValue: head.number)
      subject = head.subject
    }

    private static func subject(_ reader: inout CBORReader) -> Bytes32? {
      if let bytes = try? reader.byteString(maximum: 32) { return Bytes32(bytes) }
      let bytes: [UInt8]? = try? reader.array { (reader, _) throws(WireError) in try reader.byteString(maximum: 32) }
      return bytes.flatMap { Bytes32($0) }
    }
  }

  /// Notices of one block. The results stand beside the transactions; a follower trusts the quorum that executed them.
  /// - Parameters:
  ///   - isRelevant: whether a transaction is to be read. Of the others there is no notice.
  ///   - isFollowed: whether changes of an activation are.
  static func notices(
    of block: Block, where isRelevant: (Glance) -> Bool = { _ in true },
    following isFollowed: (ActivationID) -> Bool = { _ in true }
  ) -> [LedgerNotice] {
    var notices: [LedgerNotice] = []
    for (envelope, result) in zip(block.body.transactions, block.body.outcomes.results) {
      guard let glance = Glance(envelope), isRelevant(glance) else { continue }
      notices += Self.notices(of: envelope, by: glance.signer, result, at: block.header.height)
    }
    for event in block.body.outcomes.events {
      if case .activationChanged(let change) = event, !isFollowed(change.activation) { continue }
      if let notice = notice(event) { notices.append(notice) }
    }
    return notices
  }

  /// Of one transaction.
  static func notices(
    of envelope: Envelope, by signer: PublicKey, _ result: TransactionResult, at height: Height
  ) -> [LedgerNotice] {
    let id = envelope.digest
    guard result == .accepted, let transaction = try? envelope.decode(Transaction.self),
      let notice = notice(transaction, id: id, by: signer, at: height)
    else { return [.transaction(id, result)] }
    return [.transaction(id, result), notice]
  }

  /// Nil for what concerns no activation and no enclave.
  static func notice(_ event: LedgerEvent) -> LedgerNotice? {
    switch event {
    case .activationChanged(let change): .changed(change)
    case .enclaveRegistered(let key, let owner, let expires):
      .enclaveRegistered(key, owner: owner, expires: expires)
    case .eraEnds, .memberConvicted, .measureTaken: nil
    }
  }

  /// What an accepted action says beyond its result; nil where the block's events say all.
  private static func notice(
    _ transaction: Transaction, id: Digest, by signer: PublicKey, at height: Height
  ) -> LedgerNotice? {
    switch transaction.action {
    case .deployContract(let terms): .deployed(terms.id, terms)
    case .setContractStatus(let contract, let status): .statusSet(contract, status)
    case .activate(let order): .ordered(ActivationID(id), order, payer: signer, expiry: transaction.expiry)
    case .confirmSlice(let confirmation): .confirmed(confirmation)
    case .rejectSlice(let rejection): .rejected(rejection)
    case .handOver(let handover): .handedOver(handover)
    case .extend(let byCustomer, _), .renegotiate(let byCustomer, _):
      (try? byCustomer.decode(SegmentOrder.self)).map { .amended($0) }
    case .demandService(let activation): .serviceDemanded(activation)
    case .startService(let proof): .serviceStarted(proof)
    case .demandRecord(let demand): .recordDemanded(demand, by: signer)
    case .postRecord(let post): .recordPosted(post, by: signer)
    case .settleByRecord(let activation, let record): .settlementPosted(activation, record, by: signer)
    case .dispute(let dispute): .disputed(dispute, by: signer)
    case .announceMaintenance(let maintenance):
      .maintenance(AnnouncedMaintenance(maintenance, height: height), by: signer)
    case .registerEnclave(let evidence):
      (try? evidence.decode(AttestationEvidence.self)).map { .evidence($0.receiptKey, evidence.digest) }
    case .enrol, .transfer, .terminate, .settleAgreed, .changeMembers, .rotateKey, .proveReady, .reportEvidence,
      .regulatorAction:
      nil
    }
  }
}
