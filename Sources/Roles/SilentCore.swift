import Effects
import Messages
import Metering

/// What an actor keeps to itself that it owes somebody: the cheats of the test matrix that are silences (C3, O1, O19,
/// O27 …). An absence proves nothing by itself, so the protocol never holds more against it than the contract's
/// consequence; these show that it comes, and to whom.
public struct Silence: Hashable, Sendable {
  public enum Subject: Hashable, Sendable, CaseIterable {
    /// Of an enclave: receipts, to the operator's side and to its own customer.
    case receipts
    /// Of an edge: its receipts and its signature, when it has the customer's receipts already.
    case record
    /// Of an edge: packets, the flow and everything about it.
    case service
    /// Of an enclave: everything but who it is.
    case everything
    /// Of a controller: whether there is a slice.
    case decision
    /// Of a controller: the agreed settlement.
    case agreement
  }

  public var subject: Subject
  /// What concerns an earlier epoch is said.
  public var from: EpochNumber

  public init(_ subject: Subject, from epoch: EpochNumber = 0) {
    self.subject = subject
    from = epoch
  }

  /// Whether the effect is left out.
  func swallows(_ effect: Effect) -> Bool {
    switch subject {
    case .receipts: reaches(epoch(ofReceiptsIn: effect.message))
    case .record: reaches(epoch(ofReceiptsIn: effect.message))
    case .service: reaches(epoch(ofServiceIn: effect))
    case .everything: isEverything(effect)
    case .decision: effect.submitted.map(Self.isDecision) ?? false
    case .agreement: effect.submitted.map(Self.isAgreement) ?? false
    }
  }

  private func reaches(_ epoch: EpochNumber?) -> Bool { epoch.map { $0 >= from } ?? false }

  private func epoch(ofReceiptsIn message: Message?) -> EpochNumber? {
    switch message {
    case .reveal(let reveal): reveal.epoch
    case .revealed(let revealed): revealed.receipts.epoch
    case .receipts(let receipts): receipts.epoch
    case .epochMaterial(let material): material.epoch
    default: nil
    }
  }

  private func epoch(ofServiceIn effect: Effect) -> EpochNumber? {
    switch effect {
    case .transmit(let datagrams): datagrams.compactMap { (try? Packet($0.bytes))?.header.epoch }.max()
    default:
      switch effect.message {
      case .flowOpened: 0
      case .commit(let exchange): (try? exchange.commitment.decode(EpochCommitment.self))?.epoch
      case let message: epoch(ofReceiptsIn: message)
      }
    }
  }

  private func isEverything(_ effect: Effect) -> Bool {
    if case .transmit = effect { return true }
    switch effect.message {
    case nil, .enclaveIdentity, .status: return false
    default: return true
    }
  }

  private static func isDecision(_ action: Action) -> Bool {
    switch action {
    case .confirmSlice, .rejectSlice: true
    default: false
    }
  }

  private static func isAgreement(_ action: Action) -> Bool {
    if case .settleAgreed = action { true } else { false }
  }
}

/// An honest core behind a host that does not pass everything on. What the core persists stays, so it remembers having
/// said what nobody heard: it is as consistent as a crash would leave it.
public struct SilentCore: RoleCore {
  private var core: any RoleCore
  private let silences: [Silence]

  public init(_ core: any RoleCore, _ silences: [Silence]) {
    self.core = core
    self.silences = silences
  }

  public var address: ActorAddress { core.address }
  public var subscriptions: [Subscription] { core.subscriptions }

  public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
    core.handle(event, at: now).filter { effect in !silences.contains { $0.swallows(effect) } }
  }
}

extension Effect {
  /// What it says to another actor.
  fileprivate var message: Message? {
    switch self {
    case .publish(_, let message), .request(_, _, let message, _), .reply(_, let message): message
    default: nil
    }
  }

  /// The action of a transaction that it sends to the ledger.
  fileprivate var submitted: Action? {
    if case .submit(let transaction) = message { transaction.transaction.action } else { nil }
  }
}

extension ReceiptSet {
  /// Of all of them.
  fileprivate var epoch: EpochNumber? { (try? receipts.first?.decode(SLAReceipt.self))?.epoch }
}
