import Messages
import Signing

/// Ranges of the state tree for readers who trust nobody they ask (sla.md: "presence, absence and ranges").
extension LedgerState {
  /// The entries of this state in a range, as many as fit into one answer, with the proof that these are all.
  /// - Parameters:
  ///   - header: of the final block that this is the state after.
  ///   - finalization: that block's.
  public func entries(
    _ request: EntriesRequest, header: BlockHeader, finalization: Certificate
  ) -> ProvenEntries {
    let limit = max(1, min(request.limit, EntriesRequest.maximumEntries))
    var last: [UInt8]?
    var count: UInt64 = 0
    var bytes = 0
    var isWhole = true
    tree.forEach(from: request.from, before: request.before) { key, record in
      bytes += key.count + record.encoded.count
      // The first always fits, so that whoever goes on asking comes to the end.
      guard count < limit, count == 0 || bytes <= LedgerLimits.entriesBytes else {
        isWhole = false
        return false
      }
      count += 1
      last = key
      return true
    }
    let before = isWhole ? request.before : (last ?? request.from) + [0]
    return ProvenEntries(
      header: header, finalization: finalization, from: request.from, before: before, isWhole: isWhole,
      proof: tree.rangeProof(from: request.from, before: before))
  }
}

/// Why an answer says nothing. Ask somebody else.
public enum EntriesError: Error, Hashable, Sendable {
  /// Of another range than was asked for, or cut without an entry.
  case notWhatWasAsked
  /// Of a block made before the earliest time that the reader accepts.
  case stale(Instant)
  case proof(ProofError)
  /// The quorum signed a state with something in it that this program cannot read.
  case unreadable(key: [UInt8])
}

/// What the ledger holds in a range, proved.
public struct VerifiedEntries: Sendable {
  public struct Entry: Hashable, Sendable {
    public let key: [UInt8]
    public let record: LedgerRecord
  }

  /// In key order.
  public let entries: [Entry]
  /// What to ask for the rest of the range; nil when this was all. A state may have passed in between.
  public let rest: EntriesRequest?
  public let height: Height
  public let time: Instant
}

extension ProvenEntries {
  /// What the answer proves. The certificate's signatures, and that it is of this header, were checked when the message
  /// was taken (``Verifiable``).
  /// - Parameter earliest: answers from states before are refused (sla.md: older than two heartbeats).
  public func verified(
    answering request: EntriesRequest, notBefore earliest: Instant
  ) throws(EntriesError) -> VerifiedEntries {
    guard from == request.from, isWhole ? before == request.before : before.last == 0 else {
      throw .notWhatWasAsked
    }
    guard header.time >= earliest else { throw .stale(header.time) }
    let pairs: [(key: [UInt8], value: [UInt8])]
    do throws(ProofError) {
      pairs = try proof.values(from: from, before: before, root: header.stateRoot)
    } catch {
      throw .proof(error)
    }
    if !isWhole {
      // Where it was cut must be just behind its last entry, and inside what was asked for.
      guard let last = pairs.last, before == last.key + [0], last.key.lexicographicallyPrecedes(request.before) else {
        throw .notWhatWasAsked
      }
    }
    var entries: [VerifiedEntries.Entry] = []
    for (key, value) in pairs {
      guard let record = try? LedgerRecord(decoding: value) else { throw .unreadable(key: key) }
      entries.append(VerifiedEntries.Entry(key: key, record: record))
    }
    let rest = isWhole ? nil : EntriesRequest(from: before, before: request.before, limit: request.limit)
    return VerifiedEntries(entries: entries, rest: rest, height: header.height, time: header.time)
  }
}

extension VerifiedEntries {
  /// The offers among the entries.
  public var contracts: [(id: ContractID, record: ContractRecord)] {
    entries.compactMap { entry in
      guard case .contract(let record) = entry.record, let id = ContractID(entry.key.dropFirst()) else { return nil }
      return (id, record)
    }
  }
}

extension EntriesRequest {
  /// All offers on the ledger.
  public static let contracts: EntriesRequest = all(under: LedgerKey.contractPrefix)
  /// What operators have announced.
  public static let maintenance: EntriesRequest = all(under: LedgerKey.maintenancePrefix)

  /// One key: its entry, or the proof that it has none.
  public init(key: [UInt8]) { self.init(from: key, before: key + [0], limit: 1) }

  private static func all(under prefix: [UInt8]) -> EntriesRequest {
    let range = KeyedMerkleTree<LedgerRecord>.prefixRange(prefix)
    return EntriesRequest(from: range.from, before: range.before, limit: maximumEntries)
  }
}
