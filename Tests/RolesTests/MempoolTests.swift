import Messages
import Testing

@testable import Roles
@testable import Signing

@Suite struct MempoolTests {
  static func transaction(_ nonce: UInt64, expiry: Height = 10) -> SignedTransaction {
    SignedTransaction(
      signing: Transaction(
        nonce: nonce, expiry: expiry, action: .transfer(to: Chain.organisation("alpha"), amount: 1)),
      with: Chain.key("hospital treasury"), network: .zero)
  }

  @Test func whatExpiredIsForgottenWithoutABlockOfOnesOwn() throws {
    var chain = try Chain()
    var mempool = Mempool()
    #expect(mempool.add(Self.transaction(1, expiry: 2)) == .added)
    #expect(mempool.add(Self.transaction(2)) == .added)
    mempool.finalized(try chain.append())
    #expect(mempool.count == 2)
    mempool.finalized(try chain.append())
    #expect(mempool.count == 1)
    // It may come again, as far as the mempool is concerned.
    #expect(mempool.add(Self.transaction(1, expiry: 2)) == .added)
  }

  @Test func whatNoBlockTakesDoesNotKeepTheRestFromBeingPassedOn() {
    var mempool = Mempool()
    let all = (1...5).map { Self.transaction($0) }
    for transaction in all { _ = mempool.add(transaction) }
    let passedOn = mempool.unplaced(limit: 2) + mempool.unplaced(limit: 2) + mempool.unplaced(limit: 2)
    #expect(passedOn == all + all.prefix(1))
    #expect(mempool.unplaced(limit: 100).count == 5)
    var empty = Mempool()
    #expect(empty.unplaced(limit: 2).isEmpty)
  }
}
