import Messages
import Signing
import Wire

/// Every kind of record in the state tree. On the wire `[number, record]`; numbers are never reused.
public enum LedgerRecord: Hashable, Sendable {
  case chain(ChainRecord)
  case totals(TotalsRecord)
  case archive(MerkleLog)
  case account(AccountRecord)
  case accountName(OrganisationID)
  case role(RoleRecord)
  case contract(ContractRecord)
  case enclave(EnclaveRecord)
  case activation(ActivationRecord)
  case ended(EndedRecord)
  /// A nonce and the height until which it stays used.
  case nonce(Height)
  /// An entry of one of the two indexes: everything it says is in its key.
  case index
  case maintenance(MaintenanceRecord)
  case era(EraRecord)
  case pendingChange(PendingChange)
  case evidence(EvidenceRecord)
  case measure(MeasureRecord)
  case freeze(FreezeRecord)
}

extension LedgerRecord: WireCodable {
  public func encode(to writer: inout CBORWriter) {
    func write(_ number: UInt64, _ record: some WireCodable) {
      writer.array(2)
      writer.write(number)
      writer.write(record)
    }
    switch self {
    case .chain(let record): write(1, record)
    case .totals(let record): write(2, record)
    case .archive(let log): write(3, log)
    case .account(let record): write(4, record)
    case .accountName(let organisation): write(5, organisation)
    case .role(let record): write(6, record)
    case .contract(let record): write(7, record)
    case .enclave(let record): write(8, record)
    case .activation(let record): write(9, record)
    case .ended(let record): write(10, record)
    case .nonce(let expiry): write(11, expiry)
    case .index: write(12, true)
    case .maintenance(let record): write(13, record)
    case .era(let record): write(14, record)
    case .pendingChange(let record): write(15, record)
    case .evidence(let record): write(16, record)
    case .measure(let record): write(17, record)
    case .freeze(let record): write(18, record)
    }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      switch try reader.uint() {
      case 1: return .chain(try reader.value())
      case 2: return .totals(try reader.value())
      case 3: return .archive(try reader.value())
      case 4: return .account(try reader.value())
      case 5: return .accountName(try reader.value())
      case 6: return .role(try reader.value())
      case 7: return .contract(try reader.value())
      case 8: return .enclave(try reader.value())
      case 9: return .activation(try reader.value())
      case 10: return .ended(try reader.value())
      case 11: return .nonce(try reader.value())
      case 12:
        guard try reader.bool() else { throw .invalidValue(field: "index entry") }
        return .index
      case 13: return .maintenance(try reader.value())
      case 14: return .era(try reader.value())
      case 15: return .pendingChange(try reader.value())
      case 16: return .evidence(try reader.value())
      case 17: return .measure(try reader.value())
      case 18: return .freeze(try reader.value())
      default: throw .invalidValue(field: "ledger record")
      }
    }
  }
}
