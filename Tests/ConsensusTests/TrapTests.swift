import FixtureSupport
import Testing

/// The known traps of consensus.md, each a scenario as text in Tests/Fixtures/traps: what members hold, what is said,
/// and what followed when it was recorded. ``Scenario`` says what the commands mean. Recorded again like every fixture:
///
///     AJIT_RECORD_FIXTURES=1 swift test --filter TrapTests
struct TrapTests {
  static let traps = [
    "01-crossed-certificates", "02-laggard-on-an-idle-bus", "03-everybody-recounts-itself",
    "04-notarization-after-nullify", "05-persist-before-speaking", "06-log-ahead-of-journal",
    "07-lost-finalization", "08-last-moment-proposal", "09-floods", "10-another-root", "11-the-other-block",
    "12-votes-of-another-network", "13-boundary-finalized-twice", "14-half-nullified-half-finalized",
  ]

  @Test(arguments: traps)
  func trap(_ name: String) throws {
    try Fixtures.replay("traps/\(name).txt") { try Scenario.replay($0) }
  }
}
