import Assembly
import Effects
import Messages
import Signing
import Testing
import Topology

@testable import Simulator

/// What stands in CLOSING is disputed by whoever holds better evidence.
@Suite struct DisputeTests {
  /// A customer that leaves the settlement to the operator.
  private struct Lazy: RoleCore {
    var core: any RoleCore
    var address: ActorAddress { core.address }
    var subscriptions: [Subscription] { core.subscriptions }

    mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
      core.handle(event, at: now).filter { effect in
        if case .request(_, _, .proposeSettlement, _) = effect { return false }
        if case .settleByRecord? = effect.submitted?.transaction.action { return false }
        return true
      }
    }
  }

  /// A controller that settles by another record than both sides signed: of the same epoch, signed once more by its own
  /// edge, and with a signature of the enclave whose key it has got hold of.
  private struct Forger: RoleCore {
    var core: any RoleCore
    let controllerKey: SigningKey
    let edgeKey: SigningKey
    let receiptKey: SigningKey
    let network: Digest
    var address: ActorAddress { core.address }
    var subscriptions: [Subscription] { core.subscriptions }

    mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
      core.handle(event, at: now).map { effect in
        guard case .request(let id, let member, .submit(let transaction), let deadline) = effect,
          let forged = forged(transaction)
        else { return effect }
        return .request(id, to: member, .submit(forged), deadline: deadline)
      }
    }

    private func forged(_ signed: SignedTransaction) -> SignedTransaction? {
      var transaction = signed.transaction
      guard case .settleByRecord(let activation, let record?) = transaction.action,
        var other = try? record.byEdge.decode(JointRecord.self)
      else { return nil }
      other.account = Digest(label: "AJIT another account", [])
      transaction.action = .settleByRecord(
        activation,
        SignedRecord(
          byEnclave: Envelope(signing: other, with: receiptKey, network: network),
          byEdge: Envelope(signing: other, with: edgeKey, network: network)))
      return SignedTransaction(signing: transaction, with: controllerKey, network: network)
    }
  }

  @Test(arguments: Seeds.few(3)) func anEdgeThatSignsTwoRecordsOfOneEpochAnswersForIt(seed: UInt64) throws {
    let topology = try Topologies.story("customer-terminates")
    var simulation = Simulation(topology: topology, seed: seed)
    let places = try SimulatedPlaces(topology, seed: seed)
    let receiptKey = try #require(places.enclaves.first?.receiptKey)
    let edgeKey = try places.keyring.signingKey(KeyName(.edge, "edge-east"))
    let controllerKey = try places.keyring.signingKey(KeyName(.controller, "alpha"))
    let network = try simulation.deployment(places).genesis.networkID
    simulation.disguise = { core in
      switch core.address {
      case ActorAddress(.customer, "shop"): Lazy(core: core)
      case ActorAddress(.controller, "alpha"):
        Forger(
          core: core, controllerKey: controllerKey, edgeKey: edgeKey, receiptKey: receiptKey, network: network)
      default: core
      }
    }
    let result = try simulation.run()
    #expect(result.defects == [])
    guard case .ended(let end)? = result.activations.first?.end else {
      Issue.record("not over: \(result.summary)")
      return
    }
    #expect(end.settlement == .disputed)
    // Of the epoch that the two records are about; every rule of it counts against the operator.
    #expect(end.epochs.violated == 1 && end.money.penalty > 0)
  }
}

extension Effect {
  fileprivate var submitted: SignedTransaction? {
    if case .request(_, _, .submit(let transaction), _) = self { transaction } else { nil }
  }
}
