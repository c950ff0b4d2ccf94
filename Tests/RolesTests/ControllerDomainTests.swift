import Effects
import Messages
import Slicing
import Testing

@testable import Roles
@testable import Signing

/// Multi-domain slices: a slice exists when every domain has acknowledged its part, and is gone when every domain has.
@Suite struct ControllerDomainTests {
  private func phases(_ slice: SliceRecord?) -> [SliceRecord.SubSliceState.Phase] {
    slice?.subSlices.map(\.phase) ?? []
  }

  @Test func aSliceIsConfirmedOnlyWhenEveryDomainHasItsPart() throws {
    var story = try ControllerStory(domains: ResourceDomain.allCases)
    var expected: [SliceRecord.SubSliceState.Phase] = []
    story.driver.inspect = { message, disk in
      guard message.isSubmission || message.isAllocation else { return }
      let slice = (disk[SliceRecord.stream] ?? [:]).values.compactMap { try? SliceRecord(decoding: $0) }.first
      expected = slice?.subSlices.map(\.phase) ?? []
    }
    _ = try story.requested()
    #expect(expected == [.ordered, .ordered, .ordered], "durable before anybody is asked")
    #expect(story.driver.requests.map(\.to) == ResourceDomain.allCases.map { .domain($0, of: "alpha") })
    for remaining in [2, 1, 0] {
      #expect(story.driver.count(\.isSubmission) == 0)
      #expect(story.driver.answer(.success(.acknowledged)) { $0.message.isAllocation })
      #expect(story.driver.count(\.isAllocation) == remaining)
    }
    #expect(expected == [.allocated, .allocated, .allocated])
    try story.settleSubmissions()
    #expect(story.slices.map(\.state) == [.confirmed])
  }

  @Test func aRefusalUndoesTheOthersAndRejects() throws {
    var story = try ControllerStory(domains: ResourceDomain.allCases)
    let id = try story.requested()
    story.driver.answer(.success(.acknowledged)) { $0.message.isAllocation }
    story.driver.answer(.failure(RemoteError(.failedPrecondition, "full"))) { $0.message.isAllocation }
    #expect(phases(story.slices.first) == [.releasing, .releasing, .releasing])
    guard case .rejectSlice(let rejection)? = story.takeActions().first else {
      Issue.record("not rejected")
      return
    }
    #expect(rejection.activation == id && rejection.reason == .capacity)
    // Until every domain has acknowledged, and no longer.
    for _ in 0..<3 {
      #expect(story.driver.answer(.failure(RemoteError(.deadlineExceeded))) { $0.message.isSubnetRelease })
      story.driver.wait(.seconds(6))
    }
    story.obeyAll { $0.isSubnetRelease }
    #expect(phases(story.slices.first) == [.released, .released, .released])
    story.driver.wait(.seconds(10))
    #expect(story.driver.count(\.isSubnetRelease) == 0)
  }

  @Test func aLostOrderIsRepeatedWellWithinTheLead() throws {
    var story = try ControllerStory(domains: [.transport, .radio])
    _ = try story.requested()
    for _ in 0..<2 { story.driver.answer(.failure(RemoteError(.deadlineExceeded))) { $0.message.isAllocation } }
    story.driver.wait(.milliseconds(100))
    #expect(story.driver.count(\.isAllocation) == 2)
    story.obeyAll { $0.isAllocation }
    try story.settleSubmissions()
    #expect(story.slices.map(\.state) == [.confirmed])
  }

  @Test func aSilentDomainCostsTriesAndThenTheOrder() throws {
    var story = try ControllerStory(domains: [.radio])
    let id = try story.requested()
    for _ in 0..<200 where story.driver.count(\.isSubmission) == 0 {
      story.driver.answer(.failure(RemoteError(.deadlineExceeded))) { $0.message.isAllocation }
      story.driver.wait(.milliseconds(100))
    }
    guard case .rejectSlice(let rejection)? = story.takeActions().first else {
      Issue.record("not rejected")
      return
    }
    #expect(rejection.activation == id)
    #expect(story.slices.map(\.state) == Array(repeating: .released, count: ControllerCore.maximumAttempts))
    story.obeyAll()
    #expect(story.slices.allSatisfy { phases($0) == [.released] })
  }

  @Test func aCrashWhileDomainsAreAskedLeavesNothingHalfDone() throws {
    var story = try ControllerStory(domains: ResourceDomain.allCases)
    _ = try story.requested()
    story.driver.answer(.success(.acknowledged)) { $0.message.isAllocation }
    try story.driver.restart(story.chain, after: .milliseconds(50))
    // Who has acknowledged is not known any more: all are told to let go, and the order is decided anew.
    #expect(story.slices.map(\.state) == [.released, .held])
    let told = story.obeyAll()
    #expect(told.count { $0.message.isSubnetRelease } == 3 && told.count { $0.message.isAllocation } == 3)
    #expect(phases(story.slices.first) == [.released, .released, .released])
    try story.settleSubmissions()
    #expect(story.slices.map(\.state) == [.released, .confirmed])
  }

  @Test func afterACrashWhatWasAllocatedIsNotAskedForAgain() throws {
    var story = try ControllerStory(domains: ResourceDomain.allCases)
    _ = try story.requested()
    story.obeyAll()
    let before = story.driver.takeSubmissions().map(\.transaction.id)
    try story.driver.restart(story.chain, after: .milliseconds(50))
    #expect(story.driver.count(\.isAllocation) == 0)
    #expect(story.driver.takeSubmissions().map(\.transaction.id) == before)
  }

  @Test func releasesAreRepeatedAcrossCrashesUntilAcknowledged() throws {
    var story = try ControllerStory(domains: [.radio, .transport])
    let id = try story.requested()
    story.obeyAll()
    try story.settleSubmissions()
    try story.block([story.chain.sign(.terminate(id), by: "hospital treasury")], after: .milliseconds(100))
    #expect(phases(story.slices.first) == [.releasing, .releasing])
    story.driver.answer(.success(.acknowledged)) { $0.message.isSubnetRelease }
    for _ in 0..<2 { try story.driver.restart(story.chain) }
    let released = story.obeyAll().filter { $0.message.isSubnetRelease }
    #expect(released.count == 2 && phases(story.slices.first) == [.released, .released])
    #expect(story.carriers == 0)
    try story.driver.restart(story.chain)
    #expect(story.driver.requests.isEmpty)
  }
}
