import FixtureSupport
import Ledger
import Messages
import Signing
import Testing

/// sla.md, "The activation": every state × every event, as a text that a person can read and a change of behaviour
/// cannot miss.
@Suite struct TransitionTests {
  /// An activation in each situation the table tells apart.
  private enum Situation: String, CaseIterable {
    case requested = "REQUESTED"
    case reserved = "RESERVED"
    case activated = "ACTIVATED, 3 epochs over"
    case leaving = "ACTIVATED, terminated by the customer in epoch 3"
    case delivered = "ACTIVATED, its duration over"
    case abandoned = "ACTIVATED, terminated by the operator after 3 epochs"
    case closing = "CLOSING without a record"
    case closingWithRecord = "CLOSING with the record of epoch 1"
    case nullified = "NULLIFIED"
    case settled = "SETTLED"
    case unknown = "never seen"
  }

  private static func world(_ situation: Situation) throws -> (World, ActivationID) {
    var world = try World()
    let contract = try world.deploy()
    let operatorKey = "operator-0 controller"
    let customerKey = "hospital treasury"
    func start(_ world: inout World, epochs: Int64) throws -> ActivationID {
      let id = try world.reserve(contract)
      let startAt = try #require(world.state.activation(id)?.reservation?.startAt)
      try world.advance(to: startAt + .seconds(epochs) + .milliseconds(100))
      return id
    }
    switch situation {
    case .requested:
      let id = try world.request(contract)
      return (world, id)
    case .reserved:
      let id = try world.reserve(contract)
      return (world, id)
    case .activated:
      let id = try start(&world, epochs: 3)
      return (world, id)
    case .leaving:
      let id = try start(&world, epochs: 3)
      #expect(try world.send(.terminate(id), by: customerKey, after: .milliseconds(1)) == .accepted)
      return (world, id)
    case .delivered:
      let id = try start(&world, epochs: 10)
      return (world, id)
    case .abandoned:
      let id = try start(&world, epochs: 3)
      #expect(try world.send(.terminate(id), by: operatorKey) == .accepted)
      return (world, id)
    case .closing:
      let id = try start(&world, epochs: 10)
      #expect(try world.send(.settleByRecord(id, nil), by: customerKey) == .accepted)
      return (world, id)
    case .closingWithRecord:
      let id = try start(&world, epochs: 10)
      let record = world.signed(try world.record(id, met: 2))
      #expect(try world.send(.settleByRecord(id, record), by: customerKey) == .accepted)
      return (world, id)
    case .nullified:
      let id = try world.request(contract)
      #expect(try world.send(.terminate(id), by: customerKey) == .accepted)
      return (world, id)
    case .settled:
      let id = try start(&world, epochs: 3)
      #expect(try world.send(world.agreement(id, try world.record(id, met: 3)), by: customerKey) == .accepted)
      return (world, id)
    case .unknown:
      return (world, ActivationID(Digest(hashing: [42])))
    }
  }

  private enum LedgerInput: String, CaseIterable {
    case confirm = "ConfirmSlice by the operator"
    case confirmByOther = "ConfirmSlice by another operator"
    case reject = "RejectSlice by the operator"
    case terminateByCustomer = "Terminate by the customer"
    case terminateByOperator = "Terminate by the operator"
    case terminateByStranger = "Terminate by a stranger"
    case agreeOnNothing = "Settle, both, no record"
    case agree = "Settle, both, 2 MET 1 VIOLATED"
    case settleBare = "Settle, one side, no record"
    case settleBareByStranger = "Settle, a stranger, no record"
    case settleByStranger = "Settle, a stranger, signed record of epoch 2"
    case settleByOld = "Settle, one side, signed record of epoch 0"
    case settleByForged = "Settle, one side, record of epoch 9 signed by the edge alone"
    case silence = "nobody does anything for 200 s"
  }

  private static func perform(
    _ input: LedgerInput, on id: ActivationID, _ world: inout World
  ) throws -> TransactionResult? {
    let operatorKey = "operator-0 controller"
    let (action, author): (Action, String)
    switch input {
    case .confirm: (action, author) = (.confirmSlice(world.confirmation(id)), operatorKey)
    case .confirmByOther: (action, author) = (.confirmSlice(world.confirmation(id)), "operator-1 controller")
    case .reject:
      let rejection = SliceRejection(activation: id, reason: .capacity, recommended: nil)
      (action, author) = (.rejectSlice(rejection), operatorKey)
    case .terminateByCustomer: (action, author) = (.terminate(id), "hospital treasury")
    case .terminateByOperator: (action, author) = (.terminate(id), operatorKey)
    case .terminateByStranger: (action, author) = (.terminate(id), "platoon treasury")
    case .agreeOnNothing: (action, author) = (world.agreement(id, nil), "platoon treasury")
    case .agree:
      (action, author) = (world.agreement(id, try world.record(id, met: 2, violated: 1)), "hospital treasury")
    case .settleBare: (action, author) = (.settleByRecord(id, nil), operatorKey)
    case .settleBareByStranger: (action, author) = (.settleByRecord(id, nil), "platoon treasury")
    case .settleByStranger:
      (action, author) = (.settleByRecord(id, world.signed(try world.record(id, met: 3))), "platoon treasury")
    case .settleByOld:
      (action, author) = (.settleByRecord(id, world.signed(try world.record(id, met: 1))), "hospital treasury")
    case .settleByForged:
      let record = world.signed(try world.record(id, met: 10), enclave: "operator-0 edge")
      (action, author) = (.settleByRecord(id, record), operatorKey)
    case .silence:
      try world.passDeadlines(to: world.state.time + .seconds(200))
      return nil
    }
    return try world.send(action, by: author, after: .milliseconds(2))
  }

  @Test func everyStateMeetsEveryEvent() throws {
    var lines: [String] = []
    for situation in Situation.allCases {
      for input in LedgerInput.allCases {
        var (world, id) = try Self.world(situation)
        let before = world.state.activation(id)
        let result = try Self.perform(input, on: id, &world)
        let after = world.state.activation(id)
        let outcome =
          if after == before { result?.name ?? "unchanged" } else {
            Self.describe(after?.change ?? world.ended(id), after)
          }
        #expect((result ?? .accepted) == .accepted || after == before, "a refused transaction left something behind")
        lines.append("\(situation.rawValue) · \(input.rawValue) → \(outcome)")
      }
    }
    try Fixtures.check(
      "ledger-transitions",
      about: "sla.md, the activation: situation · event → code and what became of it. E = 107, B = 70: 10 epochs at"
        + " 10, fee 7; one rule at 3, termination penalty 40.",
      lines)
  }

  private static func describe(_ change: ActivationChange?, _ live: ActivationRecord?) -> String {
    guard let change else { return "gone without a trace" }
    var words = [change.state.name]
    if let end = live?.reservation?.endsAt, let start = live?.reservation?.startAt {
      words.append("until \((end - start).nanoseconds / 1_000_000) ms")
    }
    if let info = change.statusInfo { words.append(info.name) }
    if let settlement = change.settlement { words.append(settlement.name) }
    words.append("\(change.epochs) epochs")
    let money = change.money
    if change.state.isFinal {
      words.append("paid \(money.paid), refunded \(money.refunded), penalty \(money.penalty)")
    } else {
      words.append("E \(money.escrow), B \(money.bond)")
    }
    return words.joined(separator: " ")
  }
}
