import Ledger
import Messages
import Signing

/// Transactions that wait for a block, in order of arrival. Bounded in number, in bytes and per organisation: it
/// refuses, it never drops. A quarter of the places is kept for transactions that end an activation, so nobody can
/// keep a counterparty from settling by filling it with what costs nothing.
struct Mempool: Sendable {
  /// Transactions that may wait at once.
  static let capacity = 16_384
  /// Of those, the ones that end no activation.
  static let ordinaryCapacity = capacity / 4 * 3
  /// Of one organisation: keys cost nothing, organisations do.
  static let organisationCapacity = 4_096
  /// Envelopes that may wait at once, bytes.
  static let capacityBytes = 64 << 20

  private(set) var waiting: [SignedTransaction] = []
  private var known: [Digest: Place] = [:]
  /// At most one of two transactions with one nonce can ever be executed, so only one waits.
  private var nonces: [Nonce: Digest] = [:]
  private var perOrganisation: [OrganisationID: Int] = [:]
  private var ordinary = 0
  private var bytes = 0
  /// Those standing in a notarized block that is not final yet, by that block's view.
  private var inFlight: [Digest: View] = [:]
  /// Where the next ``unplaced(limit:)`` begins.
  private var cursor = 0

  private struct Nonce: Hashable {
    let signer: PublicKey
    let number: UInt64
  }

  private struct Place {
    let organisation: OrganisationID
    let nonce: Nonce
    let isOrdinary: Bool
    let bytes: Int
  }

  enum Admission: Equatable {
    case added, alreadyKnown
    /// Another with this nonce waits already.
    case conflicting
    /// No place for this kind, these bytes, or this organisation.
    case full
  }

  var count: Int { waiting.count }
  /// Whether something waits that no notarized block carries.
  var hasWaiting: Bool { waiting.count > inFlight.count }

  func contains(_ id: Digest) -> Bool { known[id] != nil }

  /// - Parameter organisation: whose key signed it.
  mutating func add(_ transaction: SignedTransaction, of organisation: OrganisationID) -> Admission {
    guard known[transaction.id] == nil else { return .alreadyKnown }
    let place = Place(
      organisation: organisation, nonce: Nonce(signer: transaction.signer, number: transaction.transaction.nonce),
      isOrdinary: transaction.transaction.action.urgentActivation == nil, bytes: transaction.envelope.bytes.count)
    guard nonces[place.nonce] == nil else { return .conflicting }
    guard waiting.count < Self.capacity, !place.isOrdinary || ordinary < Self.ordinaryCapacity,
      perOrganisation[organisation, default: 0] < Self.organisationCapacity,
      bytes + place.bytes <= Self.capacityBytes
    else { return .full }
    known[transaction.id] = place
    nonces[place.nonce] = transaction.id
    perOrganisation[organisation, default: 0] += 1
    ordinary += place.isOrdinary ? 1 : 0
    bytes += place.bytes
    waiting.append(transaction)
    return .added
  }

  mutating func notarized(_ block: Block) {
    for envelope in block.body.transactions where known[envelope.digest] != nil {
      inFlight[envelope.digest] = block.header.view
    }
  }

  /// Forgets what is final, what used the same nonce, and what expired: a member that never builds a block has no other
  /// occasion, and must not take for waiting what no leader can include. What stood in notarized blocks up to this
  /// view and is not final waits again.
  mutating func finalized(_ segment: LedgerSegment) {
    guard let last = segment.blocks.last?.header, !waiting.isEmpty else { return }
    for block in segment.blocks {
      for envelope in block.body.transactions {
        if known[envelope.digest] != nil {
          forget(envelope.digest)
        } else if let rival = try? SignedTransaction(envelope),
          let loser = nonces[Nonce(signer: rival.signer, number: rival.transaction.nonce)]
        {
          forget(loser)
        }
      }
    }
    removeForgotten { $0.transaction.expiry <= last.height }
    inFlight = inFlight.filter { $0.value > last.view }
  }

  /// Forgets what can never stand on this state.
  mutating func purge(_ state: LedgerState) {
    removeForgotten { !state.isIncludable($0) }
  }

  /// Those no notarized block carries, at most `limit`, in order of arrival from where the last call ended: some that
  /// no block takes do not keep the others from being passed on.
  mutating func unplaced(limit: Int) -> [SignedTransaction] {
    if cursor >= waiting.count { cursor = 0 }
    var found: [SignedTransaction] = []
    for _ in waiting.indices {
      guard found.count < limit else { break }
      let transaction = waiting[cursor]
      if inFlight[transaction.id] == nil { found.append(transaction) }
      cursor = (cursor + 1) % waiting.count
    }
    return found
  }

  private mutating func removeForgotten(or isHopeless: (SignedTransaction) -> Bool) {
    for transaction in waiting where known[transaction.id] != nil && isHopeless(transaction) { forget(transaction.id) }
    waiting.removeAll { known[$0.id] == nil }
  }

  private mutating func forget(_ id: Digest) {
    guard let place = known.removeValue(forKey: id) else { return }
    nonces[place.nonce] = nil
    inFlight[id] = nil
    ordinary -= place.isOrdinary ? 1 : 0
    bytes -= place.bytes
    let left = perOrganisation[place.organisation, default: 0] - 1
    perOrganisation[place.organisation] = left > 0 ? left : nil
  }
}
