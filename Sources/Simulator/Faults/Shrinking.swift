/// Makes a failing schedule small: delta debugging (Zeller and Hildebrandt, 2002, `ddmin`) over its faults, with a
/// bound on how often it runs the world again. What is left still fails; when the bound was not reached, leaving out
/// any one of them makes it pass.
public struct Shrinking {
  public private(set) var faults: [Fault]
  public private(set) var reruns = 0
  /// Whether the bound ended it.
  public private(set) var isCutShort = false

  /// Reruns of one failure, at most.
  public static let maximumReruns = 48

  /// - Parameters:
  ///   - faults: a schedule that fails.
  ///   - fails: whether a shorter one does too.
  public init(
    _ faults: [Fault], maximumReruns: Int = Shrinking.maximumReruns, fails: ([Fault]) throws -> Bool
  ) rethrows {
    self.faults = faults
    var parts = 2
    // Most failures need none or one of them.
    if !faults.isEmpty, try attempt([], maximumReruns, fails) { return }
    while self.faults.count > 1, !isCutShort {
      let size = max(1, (self.faults.count + parts - 1) / parts)
      var isSmaller = false
      var begin = 0
      while begin < self.faults.count {
        let end = min(begin + size, self.faults.count)
        if try attempt(Array(self.faults[..<begin] + self.faults[end...]), maximumReruns, fails) {
          isSmaller = true
        } else {
          begin = end
        }
      }
      if isSmaller {
        parts = max(2, parts - 1)
      } else if size == 1 {
        return
      } else {
        parts = min(self.faults.count, parts * 2)
      }
    }
  }

  private mutating func attempt(
    _ candidate: [Fault], _ bound: Int, _ fails: ([Fault]) throws -> Bool
  ) rethrows -> Bool {
    guard reruns < bound else {
      isCutShort = true
      return false
    }
    reruns += 1
    guard try fails(candidate) else { return false }
    faults = candidate
    return true
  }
}
