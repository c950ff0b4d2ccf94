import Effects
import Messages
import Testing

@testable import Roles
@testable import Signing

@Suite struct ValidatorTests {
  static func validator(_ chain: Chain) throws -> Driver<ValidatorCore> {
    try Driver(at: Chain.start) {
      try ValidatorCore(
        ValidatorCore.Configuration(genesis: chain.genesis, member: 0, key: Chain.key("alpha validator")),
        recovering: $0)
    }
  }

  /// Why the message is refused; nil when it is answered, or will be.
  static func refusal(of message: Message, by driver: inout Driver<ValidatorCore>) -> RemoteError.Code? {
    let token = driver.ask(message)
    return if case .failure(let error)? = driver.replies[token] { error.code } else { nil }
  }

  @Test func followersCannotAskForMoreThanIsReadAtOnce() throws {
    let chain = try Chain()
    var driver = try Self.validator(chain)
    driver.handle(.started)
    let question = Message.consensus(.getSegments(from: 1))
    for _ in 0..<ValidatorCore.maximumRecalls { #expect(Self.refusal(of: question, by: &driver) == nil) }
    #expect(Self.refusal(of: question, by: &driver) == .tooManyRequests)
    // One of the questions was answered.
    driver.handle(.recalled(try #require(driver.recalls.first), []))
    #expect(Self.refusal(of: question, by: &driver) == nil)
  }

  private static func promise(
    for transaction: SignedTransaction, of driver: inout Driver<ValidatorCore>
  ) throws -> SubmissionAcknowledgement {
    let token = driver.ask(.submit(transaction))
    guard case .success(.submitted(let acknowledgement))? = driver.replies[token] else {
      throw RemoteError(.notFound)
    }
    #expect(acknowledgement.envelope.signer == Chain.key("alpha validator").publicKey)
    return try acknowledgement.payload()
  }

  @Test func aSubmissionIsPromisedDurablyAndInTheSameWordsAgain() throws {
    var chain = try Chain()
    var driver = try Self.validator(chain)
    driver.handle(.started)
    let transaction = chain.sign(.transfer(to: Chain.organisation("alpha"), amount: 1), by: "hospital treasury")
    let first = try Self.promise(for: transaction, of: &driver)
    #expect(first.transaction == transaction.id)
    // Above every view in which it can have signed anything.
    #expect(first.view > driver.core.consensus.view)
    #expect(driver.disk[ValidatorCore.Stream.acknowledged]?.count == 1)
    #expect(try Self.promise(for: transaction, of: &driver) == first)
    #expect(driver.disk[ValidatorCore.Stream.acknowledged]?.count == 1)
    let stranger = chain.sign(.transfer(to: Chain.organisation("alpha"), amount: 1), by: "nobody")
    #expect(Self.refusal(of: .submit(stranger), by: &driver) == .permissionDenied)
    // A restart forgets neither the promise nor what it is about: an honest leader never convicts itself.
    try driver.restart(chain)
    #expect(driver.core.mempool.contains(transaction.id))
    #expect(try Self.promise(for: transaction, of: &driver) == first)
  }

  @Test func aWitnessTakesMembersPromisesOnly() throws {
    var chain = try Chain()
    var driver = try Self.validator(chain)
    driver.handle(.started)
    let transaction = chain.sign(.transfer(to: Chain.organisation("alpha"), amount: 1), by: "hospital treasury")
    func witnessed(by name: String, of other: Digest? = nil) -> Message {
      let promise = SubmissionAcknowledgement(transaction: other ?? transaction.id, era: 0, view: 1)
      let signed = SignedMessage(
        signing: promise, with: Chain.key("\(name) validator"), network: chain.genesis.networkID)
      return .witness(WitnessedAcknowledgement(acknowledgement: signed, transaction: transaction))
    }
    #expect(Self.refusal(of: witnessed(by: "hospital"), by: &driver) == .invalidArgument)
    #expect(Self.refusal(of: witnessed(by: "beta", of: .zero), by: &driver) == .invalidArgument)
    for _ in 0..<2 { #expect(Self.refusal(of: witnessed(by: "beta"), by: &driver) == nil) }
    // Kept once, and in the next life as well.
    #expect(driver.disk[ValidatorCore.Stream.witnessed]?.count == 1)
    try driver.restart(chain)
    #expect(driver.core.witnessed.count == 1)
  }
}
