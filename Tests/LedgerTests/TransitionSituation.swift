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
  case leaving = "ACTIVATED, terminated by the customer in epoch 3"
  case delivered = "ACTIVATED, its duration over"
  case abandoned = "ACTIVATED, terminated by the operator after 3 epochs"
  case closing = "CLOSING without a record"
  case closingWithRecord = "CLOSING with the record of epoch 1"
  case nullified = "NULLIFIED"
  case settled = "SETTLED"
  case unknown = "never seen"

  private static let operatorKey = "operator-0 controller"
  private static let customerKey = "hospital treasury"

  /// A ledger with two contracts and this activation of the first.
  func world() throws -> (World, ActivationID) {
    var world = try World()
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
    switch self {
    case .extended: try send(world.extend(world.segmentOrder(id, contract)), by: Self.customerKey, &world)
    case .renegotiated: try send(world.renegotiate(world.segmentOrder(id, dearer)), by: Self.customerKey, &world)
    case .leaving: try send(.terminate(id), by: Self.customerKey, &world)
    case .abandoned: try send(.terminate(id), by: Self.operatorKey, &world)
    case .closing: try send(.settleByRecord(id, nil), by: Self.customerKey, &world)
    case .closingWithRecord:
      let record = world.signed(try world.record(id, met: 2))
      try send(.settleByRecord(id, record), by: Self.customerKey, &world)
    case .settled: try send(world.agreement(id, try world.record(id, met: 3)), by: Self.customerKey, &world)
    case .requested, .reserved, .activated, .delivered, .nullified, .unknown: break
    }
    return (world, id)
  }

  private var epochsOver: Int64 {
    switch self {
    case .delivered, .closing, .closingWithRecord: 10
    default: 3
    }
  }

  private func send(_ action: Action, by name: String, _ world: inout World) throws {
    #expect(try world.send(action, by: name, after: .milliseconds(1)) == .accepted)
  }
}
