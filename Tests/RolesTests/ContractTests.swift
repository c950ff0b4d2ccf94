import Effects
import Messages
import Testing

@testable import Roles
@testable import Signing

@Suite struct ContractTests {
  static func contract(_ chain: Chain) throws -> Driver<ContractCore> {
    try Driver(at: Chain.start) { _ in
      ContractCore(
        ContractCore.Configuration(
          genesis: chain.genesis, terms: Chain.terms, validators: Chain.validators,
          owner: ActorAddress(.controller, "alpha")))
    }
  }

  static func told(_ driver: Driver<ContractCore>) -> [ActivationID] {
    driver.requests.compactMap { if case .activationRequested(let id) = $0.message { id } else { nil } }
  }

  @Test func theOwnerIsToldOfEachOrderInTurn() throws {
    var chain = try Chain()
    try chain.offer()
    var driver = try Self.contract(chain)
    driver.start(chain)
    let orders = [chain.order(), chain.order()]
    driver.publish(try chain.append(orders))
    for order in orders {
      #expect(Self.told(driver) == [ActivationID(order.id)])
      driver.answer(.failure(RemoteError(.unavailable))) { $0.to.role == .controller }
      driver.wait(.seconds(1))
      driver.answer(.success(.acknowledged)) { $0.to.role == .controller }
    }
    #expect(Self.told(driver).isEmpty)
  }

  @Test func whatEndedBeforeItWasReadIsNobodysNews() throws {
    var chain = try Chain()
    try chain.offer()
    let old = chain.order()
    try chain.append([old])
    try chain.append([chain.sign(.terminate(ActivationID(old.id)), by: "hospital treasury")])
    let open = chain.order()
    try chain.append([open])
    var driver = try Self.contract(chain)
    driver.start(chain)
    #expect(Self.told(driver) == [ActivationID(open.id)])
    let token = driver.ask(.getHistory)
    guard case .success(.history(let history))? = driver.replies[token] else {
      Issue.record("no history")
      return
    }
    #expect(history.map(\.state) == [.nullified, .requested])
  }

  @Test func anOrderGoesToTheNextMemberWhenOneIsDown() throws {
    var chain = try Chain()
    try chain.offer()
    var driver = try Self.contract(chain)
    driver.start(chain)
    let order = chain.order()
    let first = driver.ask(.activate(order))
    driver.answer(.failure(RemoteError(.unavailable))) { $0.to == Chain.validators[0] }
    guard case .failure? = driver.replies[first] else {
      Issue.record("the customer is not told")
      return
    }
    let second = driver.ask(.activate(order))
    let promise = Chain.acknowledgement(of: order, by: Chain.validators[1])
    #expect(driver.answer(.success(promise)) { $0.to == Chain.validators[1] })
    guard case .success? = driver.replies[second] else {
      Issue.record("not submitted")
      return
    }
  }
}
