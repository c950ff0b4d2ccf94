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

  @Test func aSubmissionIsAnsweredAndPassedOnOnce() throws {
    var chain = try Chain()
    var driver = try Self.validator(chain)
    driver.handle(.started)
    let transaction = chain.sign(.transfer(to: Chain.organisation("alpha"), amount: 1), by: "hospital treasury")
    for _ in 0..<2 {
      let token = driver.ask(.submit(transaction))
      guard case .success(.submitted(transaction.id))? = driver.replies[token] else {
        Issue.record("not taken")
        return
      }
    }
    let stranger = chain.sign(.transfer(to: Chain.organisation("alpha"), amount: 1), by: "nobody")
    #expect(Self.refusal(of: .submit(stranger), by: &driver) == .permissionDenied)
  }
}
