import Effects
import Messages
import Testing
import Wire

@testable import Roles
@testable import Signing

/// A block costs its readers what concerns them.
@Suite struct LedgerViewTests {
  static let activation = ActivationID(value: Digest(hashing: [1]).value)

  static func glance(_ action: Action) throws -> LedgerView.Glance {
    var chain = try Chain()
    return try #require(LedgerView.Glance(chain.sign(action, by: "alpha controller").envelope))
  }

  /// The numbers that a glance goes by are those of the actions.
  @Test func aGlanceTellsKindAndSubject() throws {
    let statement = Envelope(signing: Unread(), with: Chain.key("alpha controller"), network: .zero)
    let demand = RecordDemand(base: nil, commitment: statement, other: nil)
    let maintenance = Maintenance(window: TimeWindow(from: .zero, to: Chain.start), cells: ["cell-1"])
    let order = ActivationOrder(
      contract: Chain.terms.id, epochs: 1, earliestStart: .zero, latestStart: .zero, cell: "", peer: "", enclaves: [])
    let confirmation = SliceConfirmation(
      activation: Self.activation, planHash: .zero, startAt: .zero, edge: Chain.edgeKey)
    let cases: [(Action, LedgerView.Glance.Kind?, Bytes32?)] = [
      (.deployContract(Chain.terms), .deployContract, Chain.terms.operatorID.value),
      (.setContractStatus(Chain.terms.id, .inactive), .setContractStatus, Chain.terms.id.value),
      (.extend(byCustomer: statement, byOperator: statement), .extend, nil),
      (.renegotiate(byCustomer: statement, byOperator: statement), .renegotiate, nil),
      (.demandRecord(demand), .demandRecord, nil),
      (.announceMaintenance(maintenance), .announceMaintenance, nil),
      (.activate(order), .activate, Chain.terms.id.value),
      (.confirmSlice(confirmation), nil, Self.activation.value),
      (.terminate(Self.activation), nil, Self.activation.value),
      (.settleByRecord(Self.activation, nil), nil, Self.activation.value),
      (.settleAgreed(byCustomer: statement, byOperator: statement), nil, nil),
    ]
    for (action, kind, subject) in cases {
      let glance = try Self.glance(action)
      #expect(glance.kind == kind && glance.subject == subject, "action \(action.number)")
      #expect(glance.kind.map { $0.rawValue == UInt64(action.number) } ?? true)
    }
  }

  private struct Unread: SignedPayload {
    static let kind = MessageKind.receipt
    init() {}
    func encode(to writer: inout CBORWriter) { writer.write(UInt64(0)) }
    init(from reader: inout CBORReader) throws(WireError) { _ = try reader.uint() }
  }

  @Test func whatConcernsNobodyIsNotRead() throws {
    var chain = try Chain()
    let segment = try chain.append([
      chain.sign(.transfer(to: Chain.organisation("beta"), amount: 1), by: "hospital treasury")
    ])
    let block = try #require(segment.blocks.first)
    #expect(LedgerView.notices(of: block) { _ in false }.isEmpty)
    #expect(LedgerView.notices(of: block).count == 1)
  }
}
