import Ledger
import Messages

struct BlockRow: LedgerRow {
  let height: Height
  let view: View
  let timeNs: UInt64
  let leader: String
  let transactions: Int
  let events: Int
  let hash: String
  let stateRoot: String
  /// Where the column `time` counts from.
  private var origin = Instant.zero

  private enum CodingKeys: String, CodingKey {
    case height, view, timeNs, leader, transactions, events, hash, stateRoot
  }

  init(_ block: Block, _ state: LedgerState) {
    let header = block.header
    height = header.height
    view = header.view
    timeNs = header.time.nanoseconds
    let members = state.era(header.era)?.members ?? []
    leader = members.indices.contains(Int(header.leader)) ? members[Int(header.leader)].name : "\(header.leader)"
    transactions = block.body.transactions.count
    events = block.body.outcomes.events.count
    hash = block.hash.hexadecimal
    stateRoot = header.stateRoot.hexadecimal
  }

  func since(_ origin: Instant) -> BlockRow {
    var row = self
    row.origin = origin
    return row
  }

  static let columns: [Table.Column] = [
    .init("height", .right), .init("view", .right), .init("time", .right), .init("leader"),
    .init("transactions", .right), .init("events", .right), .init("hash"), .init("state root"),
  ]

  var cells: [Table.Cell] {
    [
      Table.Cell(height), Table.Cell(view), "\(Wording.clock(Instant(nanoseconds: timeNs) - origin)) s",
      Table.Cell(leader), Table.Cell(transactions), Table.Cell(events), Table.Cell(String(hash.prefix(8))),
      Table.Cell(String(stateRoot.prefix(8))),
    ]
  }
}

struct TransactionRow: LedgerRow {
  let height: Height
  let position: Int
  let id: String
  let signer: String
  let action: String
  let details: String
  let result: String
  let timeNs: UInt64

  init(_ entry: LedgerReplay.Entry, _ state: LedgerState) {
    height = entry.height
    position = entry.position
    id = entry.transaction.id.hexadecimal
    signer = entry.signer
    action = entry.transaction.transaction.action.name
    details = entry.transaction.transaction.action.details(state)
    result = entry.result.name
    timeNs = entry.time.nanoseconds
  }

  static let columns: [Table.Column] = [
    .init("height", .right), .init("id"), .init("signer"), .init("action"), .init("result"), .init("details"),
  ]

  var cells: [Table.Cell] {
    [
      Table.Cell(height), Table.Cell(String(id.prefix(8))), Table.Cell(signer), Table.Cell(action),
      Table.Cell(result, result == TransactionResult.accepted.name ? .green : .red), Table.Cell(details),
    ]
  }
}

struct ContractRow: LedgerRow {
  let id: String
  let contract: String
  let status: String
  let deployedAt: Height
  let pricePerEpoch: Amount
  let reservationFee: Amount
  let epochMs: Int64
  let minimumEpochs: UInt64
  let maximumEpochs: UInt64
  let rules: Int
  let serviceArea: [String]

  init(_ id: ContractID, _ record: ContractRecord, _ state: LedgerState) {
    let terms = record.terms
    self.id = id.hexadecimal
    contract = state.name(id)
    status = "\(record.status)".uppercased()
    deployedAt = record.deployedAt
    pricePerEpoch = terms.money.pricePerEpoch
    reservationFee = terms.money.reservationFee
    epochMs = terms.metering.epoch.nanoseconds / 1_000_000
    minimumEpochs = terms.context.minimumEpochs
    maximumEpochs = terms.context.maximumEpochs
    rules = terms.rules.count
    serviceArea = terms.context.serviceArea
  }

  static let columns: [Table.Column] = [
    .init("contract"), .init("id"), .init("status"), .init("height", .right), .init("price", .right),
    .init("fee", .right), .init("epochs", .right), .init("of", .right), .init("rules", .right), .init("area"),
  ]

  var cells: [Table.Cell] {
    [
      Table.Cell(contract), Table.Cell(String(id.prefix(8))), Table.Cell(status), Table.Cell(deployedAt),
      Table.Cell(pricePerEpoch), Table.Cell(reservationFee), "\(minimumEpochs)–\(maximumEpochs)", "\(epochMs) ms",
      Table.Cell(rules), Table.Cell(serviceArea.joined(separator: " ")),
    ]
  }
}

struct ActivationRow: LedgerRow {
  let id: String
  let contract: String
  let customer: String
  let state: String
  @Nullable var statusInfo: String?
  @Nullable var settlement: String?
  @Nullable var epochs: ResultLine.Epochs?
  let escrow, bond, paid, refunded, penalty: Amount
  @Nullable var rejection: String?
  @Nullable var counterOffer: ResultLine.CounterOffer?
  @Nullable var orderedNs: UInt64?
  @Nullable var startedNs: UInt64?
  @Nullable var endedNs: UInt64?

  init(_ record: ActivationRecord, _ replay: LedgerReplay) {
    let ledger = replay.state
    let milestones = replay.milestones[record.id]
    let money = record.money
    id = record.id.hexadecimal
    contract = ledger.name(record.contract)
    customer = ledger.name(record.customer)
    state = record.state(at: ledger.time).name
    statusInfo = record.statusInfo?.name
    settlement = record.settlement?.kind.name
    epochs = record.settlement.map { .init($0.record?.epochCounters ?? EpochCounters()) }
    (escrow, bond, paid, refunded, penalty) = (money.escrow, money.bond, money.paid, money.refunded, money.penalty)
    rejection = milestones?.rejection.map(Wording.reason)
    counterOffer = milestones?.counterOffer.map { .init($0) }
    orderedNs = milestones?.requestedAt?.nanoseconds
    startedNs = milestones?.startAt?.nanoseconds
    endedNs = milestones?.endedAt?.nanoseconds
  }

  static let columns: [Table.Column] = [
    .init("id"), .init("contract"), .init("customer"), .init("state"), .init("why"), .init("escrow", .right),
    .init("bond", .right), .init("paid", .right), .init("refunded", .right), .init("penalty", .right),
  ]

  var cells: [Table.Cell] {
    [
      Table.Cell(String(id.prefix(8))), Table.Cell(contract), Table.Cell(customer), Table.Cell(state),
      Table.Cell(rejection ?? statusInfo ?? "–"), Table.Cell(escrow), Table.Cell(bond), Table.Cell(paid),
      Table.Cell(refunded), Table.Cell(penalty),
    ]
  }
}

struct AccountRow: LedgerRow {
  let name: String
  let id: String
  let kind: String
  let balance: Amount
  let keys: UInt64

  init(_ record: AccountRecord) {
    name = record.name
    id = record.id.hexadecimal
    kind =
      switch record.kind {
      case .networkOperator: "operator"
      case .regulator: "regulator"
      case .customer: "customer"
      }
    balance = record.balance
    keys = record.keys
  }

  static let columns: [Table.Column] = [
    .init("name"), .init("id"), .init("kind"), .init("balance", .right), .init("keys", .right),
  ]

  var cells: [Table.Cell] {
    [Table.Cell(name), Table.Cell(String(id.prefix(8))), Table.Cell(kind), Table.Cell(balance), Table.Cell(keys)]
  }
}
