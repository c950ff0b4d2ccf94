import Foundation
import Testing

/// How many times slower this machine is than one that the tests' times were chosen for: `AJIT_TIME_FACTOR`, 1 if
/// nobody says. Limits are that many times longer, and so is what some tests make happen in real time.
public enum TimeFactor {
  public static let value: Int = {
    let text = ProcessInfo.processInfo.environment["AJIT_TIME_FACTOR"]
    return min(max(1, text.flatMap { Int($0) } ?? 1), maximum)
  }()

  private static let maximum = 60
}

extension Trait where Self == TimeLimitTrait {
  /// A limit that is longer on a slow machine (``TimeFactor``).
  public static func limit(minutes: Int) -> Self { .timeLimit(.minutes(minutes * TimeFactor.value)) }
}
