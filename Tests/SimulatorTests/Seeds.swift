import Foundation

/// The seeds a story runs with: a few, or as many as `ops/soak` asks for.
enum Seeds {
  /// - Parameter count: without `AJIT_SEEDS` in the environment, from seed 1 (or `AJIT_FIRST_SEED`) on.
  static func few(_ count: UInt64) -> ClosedRange<UInt64> {
    let environment = ProcessInfo.processInfo.environment
    let first = environment["AJIT_FIRST_SEED"].flatMap { UInt64($0) } ?? 1
    let wanted = environment["AJIT_SEEDS"].flatMap { UInt64($0) } ?? count
    return first...(first + max(1, wanted) - 1)
  }
}
