import Foundation
import Testing

/// Systematic small scope: four members, one of them twice, every choice of leaders and of who hears whom.
struct TwinsTests {
  /// How much of it: so many views, at most so many groups in each; every `stride`-th schedule. A quick look, unless
  /// `AJIT_SCOPE=views,groups` asks for all of a scope (`ops/soak scope`).
  private static let scope: (views: Int, groups: Int, stride: Int) = {
    let text = ProcessInfo.processInfo.environment["AJIT_SCOPE"] ?? ""
    let numbers = text.split(separator: ",").compactMap { Int($0) }
    return numbers.count == 2 ? (numbers[0], numbers[1], 1) : (2, 2, 5)
  }()
  private static let schedules = TwinSchedule.all(views: scope.views, groups: scope.groups)
  private static let parts = 4

  @Test(arguments: 0..<parts) func everyScheduleIsSafeAndHeals(part: Int) throws {
    let consortium = try TestConsortium(operators: TwinSchedule.members)
    let notes = TwinRun.notes(consortium)
    var count = 0
    var heights = 0
    var failures: [String] = []
    for index in stride(from: part * Self.scope.stride, to: Self.schedules.count, by: Self.parts * Self.scope.stride) {
      var run = TwinRun(Self.schedules[index], consortium, notes: notes)
      run.run()
      count += 1
      heights += Int(run.height)
      if !run.checker.violations.isEmpty || !run.progressed {
        failures.append("\(Self.schedules[index]): \(run.checker.violations.prefix(3)), progress \(run.progressed)")
      }
    }
    print(
      "scope: \(count) of \(Self.schedules.count) schedules of \(Self.scope.views) views with at most"
        + " \(Self.scope.groups) groups, \(heights) heights")
    #expect(failures.prefix(5) == [])
    #expect(heights >= count)
  }

  @Test func schedulesThatDifferByNamesOnlyAreOne() {
    // One view, two groups, of 16 partitions. A twin leads: 6 by how many twins and how many others are in each group.
    // Somebody honest leads: 9 by how many twins, how many others, and the leader.
    let schedules = TwinSchedule.all(views: 1, groups: 2)
    #expect(Set(schedules).count == schedules.count)
    #expect(schedules.count == 15)
    #expect(TwinSchedule.all(views: 2, groups: 2).count < 16 * 256 / 8)
  }
}
