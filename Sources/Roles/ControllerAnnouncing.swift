import Effects
import Messages
import Signing

/// What the operator says on the ledger of its own accord: its contracts, and interruptions in advance.
extension ControllerCore {
  struct Announcements: Sendable {
    var deployed: Set<ContractID> = []
    /// In the order of the ledger.
    private(set) var maintenance: [AnnouncedMaintenance] = []
    /// Sent and not answered, by what they announce.
    var contracts: [ContractID: SignedTransaction] = [:]
    var windows: [Maintenance: SignedTransaction] = [:]
    var nextTry = Instant.zero

    mutating func deployed(_ id: ContractID) {
      deployed.insert(id)
      contracts[id] = nil
    }

    mutating func announced(_ announcement: AnnouncedMaintenance) {
      maintenance.append(announcement)
      windows[announcement.maintenance] = nil
    }
  }

  mutating func announcementRefused(_ id: Digest, _ result: TransactionResult, _ turn: inout Turn) {
    if let terms = configuration.contracts.first(where: { announcements.contracts[$0.id]?.id == id }) {
      turn.note("contract \(terms.id.short) refused: \(result.name)", .warning)
      announcements.contracts[terms.id] = nil
    }
    if let planned = configuration.maintenance.first(where: { announcements.windows[$0.announcement]?.id == id }) {
      turn.note("maintenance refused: \(result.name)", .warning)
      announcements.windows[planned.announcement] = nil
    }
  }

  /// Sends what is not on the ledger yet, until it is.
  mutating func announceMissing(_ turn: inout Turn) {
    guard follower.hasCaughtUp, turn.now >= announcements.nextTry else { return }
    let contracts = configuration.contracts.filter { !announcements.deployed.contains($0.id) }
    let missing = configuration.maintenance.filter { planned in
      turn.now < planned.announcement.window.to
        && !announcements.maintenance.contains { $0.maintenance == planned.announcement }
    }
    let windows = missing.filter { turn.now >= $0.notBefore }.map(\.announcement)
    guard !contracts.isEmpty || !windows.isEmpty else {
      if let next = missing.map(\.notBefore).min() { turn.add(.setTimer(TimerID(Purpose.announce), at: next)) }
      return
    }
    announcements.nextTry = turn.now + Self.resend
    for terms in contracts {
      announcements.contracts[terms.id] = announce(.deployContract(terms), announcements.contracts[terms.id], &turn)
    }
    for window in windows {
      announcements.windows[window] = announce(.announceMaintenance(window), announcements.windows[window], &turn)
    }
    turn.add(.setTimer(TimerID(Purpose.announce), at: announcements.nextTry))
  }

  /// The same bytes as long as they are valid.
  private mutating func announce(
    _ action: Action, _ sent: SignedTransaction?, _ turn: inout Turn
  ) -> SignedTransaction {
    if let sent, sent.transaction.expiry > follower.height {
      send(sent, for: nil, repeats: 1, &turn)
      return sent
    }
    let transaction = sign(action, expiry: follower.height + Transaction.maximumLifetime / 2)
    send(transaction, for: nil, repeats: 0, &turn)
    return transaction
  }
}
