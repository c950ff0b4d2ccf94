import FixtureSupport
import Ledger
import Messages
import Signing

/// Transactions that nobody thought of: mostly by whoever may, on what is probably alive, sometimes by anyone.
struct RandomActions {
  let contracts: [ContractID]
  private(set) var activations: [ActivationID] = []
  var random: SeededGenerator

  private static let strangers = [
    "hospital treasury", "hospital device", "platoon treasury", "operator-0 controller", "operator-1 controller",
    "operator-0 edge", "hospital", "operator-0",
  ]
  private static let edges = ["operator-0 edge", "operator-0 edge 2", "operator-1 edge"]

  init(contracts: [ContractID], seed: UInt64) {
    self.contracts = contracts
    random = SeededGenerator(seed: seed)
  }

  mutating func number(_ range: ClosedRange<UInt64>) -> UInt64 { UInt64.random(in: range, using: &random) }
  mutating func happens(oneIn count: UInt64) -> Bool { number(1...count) == 1 }

  private mutating func pick<Element>(_ choices: [Element]) -> Element {
    choices[Int(number(0...UInt64(choices.count - 1)))]
  }

  /// The next transaction.
  mutating func next(_ world: inout World) throws -> SignedTransaction {
    // Lately made ones are more often alive.
    guard !activations.isEmpty, !happens(oneIn: 6) else { return order(&world) }
    let id = pick(activations.suffix(6))
    let (action, author) = happens(oneIn: 8) ? administration(world) : try action(on: id, world)
    return world.sign(action, by: happens(oneIn: 12) ? pick(Self.strangers) : author)
  }

  private mutating func order(_ world: inout World) -> SignedTransaction {
    let contract = pick(contracts)
    let epochs = number(1...30)
    let signed: SignedTransaction
    if happens(oneIn: 3) {
      signed = world.signFlow(world.flowOrder(contract, epochs: epochs))
    } else {
      signed = world.sign(.activate(world.order(contract, epochs: epochs)), by: "hospital treasury")
    }
    activations.append(ActivationID(signed.id))
    return signed
  }

  private mutating func action(on id: ActivationID, _ world: World) throws -> (Action, author: String) {
    let (customer, provider) = ("hospital treasury", "operator-0 controller")
    // What its state allows comes up more often than chance would have it.
    let kinds: ClosedRange<UInt64> =
      switch world.state.state(of: id) {
      case .activated where happens(oneIn: 2): 12...17
      case .requested where happens(oneIn: 2): 0...5
      default: 0...17
      }
    switch number(kinds) {
    case 0...5:
      let isFlow = world.state.activation(id)?.order.ends.contains(.far) ?? false
      let lead = Span.milliseconds(Int64(number(500...4_000)))
      return (.confirmSlice(world.confirmation(id, startIn: lead, peerEdge: isFlow ? pick(Self.edges) : nil)), provider)
    case 6: return (.rejectSlice(SliceRejection(activation: id, reason: .delay, recommended: nil)), provider)
    case 7: return (.terminate(id), happens(oneIn: 2) ? customer : provider)
    case 8, 9: return (.settleByRecord(id, world.signed(try record(of: id, world))), pick(Self.strangers))
    case 10: return (.settleByRecord(id, nil), happens(oneIn: 2) ? customer : provider)
    case 11: return (world.agreement(id, happens(oneIn: 2) ? try record(of: id, world) : nil), pick(Self.strangers))
    case 12...14:
      let index = UInt64(world.state.activation(id)?.segments.count ?? 1)
      let current = world.state.activation(id)?.segments.last?.contract ?? contracts[0]
      let contract = happens(oneIn: 2) ? current : pick(contracts)
      let order = world.segmentOrder(id, contract, index: index, epochs: number(1...8))
      return (contract == current ? world.extend(order) : world.renegotiate(order), pick(Self.strangers))
    default:
      let cells = ["cell-1", "pass", "elsewhere"]
      let end: FlowEnd = happens(oneIn: 3) ? .far : .near
      let from = number(0...30)
      return (world.handover(id, from: from, end: end, cell: pick(cells), edge: pick(Self.edges)), provider)
    }
  }

  private mutating func administration(_ world: World) -> (Action, author: String) {
    switch number(0...3) {
    case 0: return (.transfer(to: World.organisation("hospital"), amount: number(0...300)), "platoon treasury")
    case 1:
      let status: ContractStatus = happens(oneIn: 4) ? .inactive : .active
      return (.setContractStatus(pick(contracts), status), "operator-0 controller")
    case 2:
      let from = world.state.time + .seconds(Int64(number(0...30)))
      let window = TimeWindow(from: from, to: from + .seconds(Int64(number(0...10))))
      return (.announceMaintenance(Maintenance(window: window, cells: ["pass"])), "operator-0 controller")
    default:
      let key = World.key("extra \(number(0...20))").publicKey
      return (.enrol(Enrolment(key: key, role: pick(KeyRole.allCases))), pick(Self.strangers))
    }
  }

  /// A record that both sides might have signed; every tenth one that nobody could mean.
  mutating func record(of id: ActivationID, _ world: World) throws -> JointRecord {
    guard let activation = world.state.activation(id), activation.epochs > 0, !happens(oneIn: 10) else {
      return try world.record(id, met: number(1...12), violated: number(0...3), booked: 15)
    }
    let last = number(0...activation.epochs - 1)
    var segments: [(terms: ContractTerms, met: UInt64, violated: UInt64, booked: UInt64)] = []
    for (segment, range) in zip(activation.segments, activation.segmentRanges) where range.lowerBound <= last {
      guard let terms = world.state.contract(segment.contract)?.terms else { continue }
      let epochs = min(range.upperBound, last + 1) - range.lowerBound
      let violated = number(0...epochs)
      segments.append((terms, epochs - violated, violated, segment.epochs))
    }
    return try world.record(id, segments: segments)
  }
}
