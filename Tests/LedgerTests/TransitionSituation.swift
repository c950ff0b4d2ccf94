import Ledger
import Messages
import Signing
import Testing

/// An activation in each situation that the table of sla.md tells apart.
enum TransitionSituation: String, CaseIterable {
  case requested = "REQUESTED"
  case reserved = "RESERVED"
  case activated = "ACTIVATED, 3 epochs over"
  case extended = "ACTIVATED, 3 epochs over, extended by 5"
  case renegotiated = "ACTIVATED, 3 epochs over, another contract from epoch 5 on"
  case serviceDemanded = "ACTIVATED, service demanded"
  case serviceShown = "ACTIVATED, service demanded and shown"
  case demanded = "ACTIVATED, epoch 0 demanded by the customer"
  case demandedByOperator = "ACTIVATED, epoch 0 demanded by the operator"
  case demandedByBoth = "ACTIVATED, epoch 0 demanded by both"
  case opened = "ACTIVATED, epoch 0 demanded by the customer, opened by the operator"
  case posted = "ACTIVATED, epoch 0 demanded by the customer, opened by both"
  case lostByOperator = "ACTIVATED, epoch 0 demanded by the customer, not opened by the operator"
  case lostByCustomer = "ACTIVATED, epoch 0 demanded by the customer, opened by the operator alone"
  case lostByBoth = "ACTIVATED, epoch 0 demanded by both, opened by neither"
  case leaving = "ACTIVATED, terminated by the customer in epoch 3"
  case delivered = "ACTIVATED, its duration over"
  case abandoned = "ACTIVATED, terminated by the operator after 3 epochs"
  case closing = "CLOSING without a record"
  case closingWithRecord = "CLOSING with the record of epoch 1"
  case closingDemanded = "CLOSING, epoch 0 demanded by the operator"
  case closingDisputed = "CLOSING with the record of epoch 1, disputed by the customer"
  case frozen = "CLOSING with the record of epoch 1, frozen for 100 s"
  case nullified = "NULLIFIED"
  case settled = "SETTLED"
  case unknown = "never seen"

  private static let operatorKey = "operator-0 controller"
  private static let customerKey = "hospital treasury"

  /// A ledger with two contracts and this activation of the first.
  func world() throws -> (World, ActivationID) {
    var world = try World(regulators: 2)
    let contract = try world.deploy()
    let dearer = try world.deployDearer()
    if self == .unknown { return (world, ActivationID(Digest(hashing: [42]))) }
    let id = try world.request(contract)
    if self == .requested { return (world, id) }
    if self == .nullified {
      try send(.terminate(id), by: Self.customerKey, &world)
      return (world, id)
    }
    try send(.confirmSlice(world.confirmation(id)), by: Self.operatorKey, &world)
    if self == .reserved { return (world, id) }
    try world.start(id, epochs: epochsOver)
    try happen(to: id, under: contract, dearer, &world)
    return (world, id)
  }

  /// What happened since its start.
  private func happen(
    to id: ActivationID, under contract: ContractID, _ dearer: ContractID, _ world: inout World
  ) throws {
    let (customerKey, operatorKey) = (Self.customerKey, Self.operatorKey)
    switch self {
    case .extended: try send(world.extend(world.segmentOrder(id, contract)), by: customerKey, &world)
    case .renegotiated: try send(world.renegotiate(world.segmentOrder(id, dearer)), by: customerKey, &world)
    case .leaving: try send(.terminate(id), by: customerKey, &world)
    case .abandoned: try send(.terminate(id), by: operatorKey, &world)
    case .closing: try send(.settleByRecord(id, nil), by: customerKey, &world)
    case .closingWithRecord, .frozen:
      let record = world.signed(try world.record(id, met: 2))
      try send(.settleByRecord(id, record), by: customerKey, &world)
      if self == .frozen { try send(world.freeze(id, for: .seconds(100)), by: "regulator validator", &world) }
    case .settled: try send(world.agreement(id, try world.record(id, met: 3)), by: customerKey, &world)
    case .serviceDemanded: try send(.demandService(id), by: customerKey, &world)
    case .serviceShown:
      try send(.demandService(id), by: customerKey, &world)
      let proof = ServiceProof(
        activation: id, receipts: ReceiptSet([]), record: world.signed(try world.record(id, met: 1)))
      try send(.startService(proof), by: operatorKey, &world)
    case .demanded: try send(world.demand(id, by: .customer), by: customerKey, &world)
    case .demandedByOperator: try send(world.demand(id, by: .networkOperator), by: operatorKey, &world)
    case .demandedByBoth, .lostByBoth:
      try send(world.demand(id, by: .customer), by: customerKey, &world)
      try send(world.demand(id, by: .networkOperator), by: operatorKey, &world)
    case .opened, .posted, .lostByCustomer:
      try send(world.demand(id, by: .customer), by: customerKey, &world)
      try send(world.post(id, by: .networkOperator), by: operatorKey, &world)
      if self == .posted { try send(world.post(id, by: .customer), by: customerKey, &world) }
    case .lostByOperator: try send(world.demand(id, by: .customer), by: customerKey, &world)
    case .closingDemanded:
      try send(.settleByRecord(id, nil), by: customerKey, &world)
      try send(world.demand(id, by: .networkOperator), by: operatorKey, &world)
    case .closingDisputed:
      let record = world.signed(try world.record(id, met: 2))
      try send(.settleByRecord(id, record), by: customerKey, &world)
      try send(world.contradiction(id), by: customerKey, &world)
    case .requested, .reserved, .activated, .delivered, .nullified, .unknown: break
    }
    switch self {
    case .lostByOperator, .lostByCustomer, .lostByBoth:
      let answerBy = try #require(world.state.activation(id)?.reservation?.proceedings.answerBy)
      try world.passDeadlines(to: answerBy)
      #expect(world.state.activation(id)?.reservation?.proceedings.answerBy == nil)
    default: break
    }
  }

  private var epochsOver: Int64 {
    switch self {
    case .delivered, .closing, .closingWithRecord, .closingDemanded, .closingDisputed, .frozen: 10
    default: 3
    }
  }

  private func send(_ action: Action, by name: String, _ world: inout World) throws {
    #expect(try world.send(action, by: name, after: .milliseconds(1)) == .accepted)
  }
}
