import Effects
import Messages
import Signing

/// What of the ledger concerns a party, fixed for its life: all that it signs, pays for or takes part in, and what it
/// waits for before that.
public struct LedgerReader: Sendable {
  public let address: ActorAddress
  /// It signs with this: its transactions, and the activations that it orders.
  let key: PublicKey
  /// Whose enclaves' registrations it wants to know of.
  let organisation: OrganisationID?
  /// Whose deployment it waits for.
  let contracts: [ContractID]
  /// It may consent to activations that others order.
  let isGuest: Bool
  /// It takes part in something that an operator may interrupt.
  let isInterruptible: Bool
}

/// Whom a notice concerns. Follows activations from the order that names a reader, as payer or by its consent, to
/// their end: so no reader has to say what it is waiting for, and none is too late.
struct NoticeRoutes: Sendable {
  private var parties: [PublicKey: [Int]] = [:]
  private var organisations: [OrganisationID: [Int]] = [:]
  private var contracts: [ContractID: [Int]] = [:]
  private var interruptible: [Int] = []
  private var hasGuests = false
  private var activations: [ActivationID: [Int]] = [:]
  private let everyone: [Int]

  init(_ readers: [LedgerReader]) {
    everyone = Array(readers.indices)
    for (index, reader) in readers.enumerated() {
      parties[reader.key, default: []].append(index)
      if let organisation = reader.organisation { organisations[organisation, default: []].append(index) }
      for contract in reader.contracts { contracts[contract, default: []].append(index) }
      if reader.isInterruptible { interruptible.append(index) }
      hasGuests = hasGuests || reader.isGuest
    }
  }

  /// What the block says to each whom it concerns, readers ascending.
  mutating func shares(of block: Block) -> [LedgerNews.Share] {
    var shares = Shares()
    for (envelope, result) in zip(block.body.transactions, block.body.outcomes.results) {
      // Looked at first, decoded only for who wants it.
      guard let glance = LedgerView.Glance(envelope), concerns(glance) else { continue }
      for notice in LedgerView.notices(of: envelope, by: glance.signer, result, at: block.header.height) {
        shares.add(notice, to: readers(of: notice, by: glance.signer))
      }
    }
    for event in block.body.outcomes.events {
      guard let notice = LedgerView.notice(event) else { continue }
      shares.add(notice, to: readers(of: notice, by: nil))
      if case .activationChanged(let change) = event, change.state.isFinal { activations[change.activation] = nil }
    }
    if let next = block.body.nextEra { shares.add(.eraBegins(next), to: everyone) }
    return shares.all
  }

  /// One notice for every reader.
  func shares(of notice: LedgerNotice) -> [LedgerNews.Share] {
    everyone.map { LedgerNews.Share(reader: $0, notices: [notice]) }
  }

  /// Own transactions, those about activations somebody takes part in, and the few kinds that say nothing about whom
  /// they concern in their first bytes.
  private func concerns(_ glance: LedgerView.Glance) -> Bool {
    if parties[glance.signer] != nil { return true }
    switch glance.kind {
    case .deployContract: return !contracts.isEmpty
    case .activate: return hasGuests
    case .announceMaintenance: return !interruptible.isEmpty
    case .extend, .renegotiate, .demandRecord: return !activations.isEmpty
    case .setContractStatus: return false
    case nil: return glance.subject.map { activations[ActivationID(value: $0)] != nil } ?? false
    }
  }

  private mutating func readers(of notice: LedgerNotice, by signer: PublicKey?) -> [Int] {
    switch notice {
    case .transaction, .evidence: signer.flatMap { parties[$0] } ?? []
    case .deployed(let contract, _): contracts[contract] ?? []
    case .ordered(let activation, let order, let payer, _): ordered(activation, order, payer)
    case .confirmed(let confirmation): activations[confirmation.activation] ?? []
    case .handedOver(let handover): activations[handover.activation] ?? []
    case .amended(let order): activations[order.activation] ?? []
    case .serviceDemanded(let activation): activations[activation] ?? []
    case .serviceStarted(let proof): activations[proof.activation] ?? []
    case .recordDemanded(let demand, _):
      (try? demand.commitment.decode(EpochCommitment.self)).flatMap { activations[$0.activation] } ?? []
    case .recordPosted(let post, _): activations[post.activation] ?? []
    case .settlementPosted(let activation, _, _): activations[activation] ?? []
    case .changed(let change): activations[change.activation] ?? []
    case .maintenance: interruptible
    case .enclaveRegistered(_, let owner, _): organisations[owner] ?? []
    case .eraBegins, .caughtUp: everyone
    // A customer learns of these by what they change.
    case .statusSet, .rejected, .disputed: []
    }
  }

  private mutating func ordered(_ activation: ActivationID, _ order: ActivationOrder, _ payer: PublicKey) -> [Int] {
    var concerned = parties[payer] ?? []
    if let guest = order.consent?.signer, guest != payer { concerned += parties[guest] ?? [] }
    if !concerned.isEmpty { activations[activation] = concerned }
    return concerned
  }

  /// Notices by reader, in order.
  private struct Shares {
    private var notices: [Int: [LedgerNotice]] = [:]

    mutating func add(_ notice: LedgerNotice, to readers: [Int]) {
      for reader in readers { notices[reader, default: []].append(notice) }
    }

    var all: [LedgerNews.Share] {
      notices.sorted { $0.key < $1.key }.map { LedgerNews.Share(reader: $0.key, notices: $0.value) }
    }
  }
}
