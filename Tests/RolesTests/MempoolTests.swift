import Messages
import Testing

@testable import Roles
@testable import Signing

@Suite struct MempoolTests {
  static let hospital = Chain.organisation("hospital")

  static func transaction(_ nonce: UInt64, expiry: Height = 10) -> SignedTransaction {
    SignedTransaction(
      signing: Transaction(
        nonce: nonce, expiry: expiry, action: .transfer(to: Chain.organisation("alpha"), amount: 1)),
      with: Chain.key("hospital treasury"), network: .zero)
  }

  @Test func whatExpiredIsForgottenWithoutABlockOfOnesOwn() throws {
    var chain = try Chain()
    var mempool = Mempool()
    #expect(mempool.add(Self.transaction(1, expiry: 2), of: Self.hospital) == .added)
    #expect(mempool.add(Self.transaction(2), of: Self.hospital) == .added)
    mempool.finalized(try chain.append())
    #expect(mempool.count == 2)
    mempool.finalized(try chain.append())
    #expect(mempool.count == 1)
    // It may come again, as far as the mempool is concerned.
    #expect(mempool.add(Self.transaction(1, expiry: 2), of: Self.hospital) == .added)
  }

  @Test func whatNoBlockTakesDoesNotKeepTheRestFromBeingPassedOn() {
    var mempool = Mempool()
    let all = (1...5).map { Self.transaction($0) }
    for transaction in all { _ = mempool.add(transaction, of: Self.hospital) }
    let passedOn = mempool.unplaced(limit: 2) + mempool.unplaced(limit: 2) + mempool.unplaced(limit: 2)
    #expect(passedOn == all + all.prefix(1))
    #expect(mempool.unplaced(limit: 100).count == 5)
    var empty = Mempool()
    #expect(empty.unplaced(limit: 2).isEmpty)
  }

  @Test func oneOrganisationCannotFillIt() throws {
    var mempool = Mempool()
    for nonce in 1...UInt64(Mempool.organisationCapacity) {
      #expect(mempool.add(Self.transaction(nonce, expiry: nonce == 1 ? 1 : 10), of: Self.hospital) == .added)
    }
    let next = Self.transaction(1 << 20)
    #expect(mempool.add(next, of: Self.hospital) == .full)
    #expect(mempool.add(next, of: Chain.organisation("beta")) == .added)
    var chain = try Chain()
    mempool.finalized(try chain.append())
    #expect(mempool.add(Self.transaction(1 << 21), of: Self.hospital) == .added)
  }

  @Test func ofTwoWithOneNonceOnlyOneWaitsAndTheLoserGoesWhenItsRivalIsFinal() throws {
    var chain = try Chain()
    var mempool = Mempool()
    let mine = Self.transaction(7)
    let rival = Self.transaction(7, expiry: 9)
    #expect(mempool.add(mine, of: Self.hospital) == .added)
    #expect(mempool.add(rival, of: Self.hospital) == .conflicting)
    // The rival was accepted by another member and is final: nothing waits here any more, so no leader is waited for.
    var elsewhere = try chain.append()
    elsewhere = LedgerSegment(
      blocks: elsewhere.blocks.map { block in
        Block(header: block.header, body: BlockBody(transactions: [rival.envelope], outcomes: block.body.outcomes))
      }, finalization: elsewhere.finalization)
    mempool.finalized(elsewhere)
    #expect(mempool.count == 0)
    #expect(!mempool.hasWaiting)
  }
}
