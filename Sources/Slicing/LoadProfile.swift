/// How much of one resource is taken over time: a step function as a height-balanced tree (AVL) of its steps.
///
/// Each node keeps the sum of its subtree's steps and the highest level that a walk through the subtree reaches from
/// zero, so the peak over any window takes O(log n). Height balance, not random priorities: customers choose the
/// times, and no choice of times may make the tree deep.
struct LoadProfile: Sendable {
  private struct Node {
    var time: UInt64
    /// By how much the level changes at `time`.
    var step: Int64
    /// Sum of the subtree's steps.
    var sum: Int64
    /// Highest partial sum of the subtree's steps in order of time, the empty one included: never negative.
    var peak: Int64
    var height: Int32 = 1
    var left: Int32 = LoadProfile.none
    var right: Int32 = LoadProfile.none
  }

  private static let none: Int32 = -1
  private var nodes: [Node] = []
  private var root = LoadProfile.none
  /// Nodes to use again, linked through `left`.
  private var firstFree = LoadProfile.none

  /// Number of times at which the level changes.
  private(set) var stepCount = 0

  // MARK: Queries

  /// The highest level at any moment of [from, to); 0 for an empty window.
  func peak(from: UInt64, to: UInt64) -> Int64 {
    guard from < to else { return 0 }
    var level = level(at: from)
    var best = level
    climb(root, after: from, before: to, allAfter: false, allBefore: false, &level, &best)
    return best
  }

  /// The level at a moment, a step at exactly that moment included.
  func level(at time: UInt64) -> Int64 {
    var level: Int64 = 0
    var index = root
    while index != Self.none {
      let node = nodes[Int(index)]
      if node.time <= time {
        level += sum(node.left) + node.step
        index = node.right
      } else {
        index = node.left
      }
    }
    return level
  }

  /// The first moment after `time` at which the level falls.
  func firstFall(after time: UInt64) -> UInt64? {
    var after = time
    while let index = firstStep(after: after) {
      let node = nodes[Int(index)]
      if node.step < 0 { return node.time }
      after = node.time
    }
    return nil
  }

  private func firstStep(after time: UInt64) -> Int32? {
    var found: Int32?
    var index = root
    while index != Self.none {
      let node = nodes[Int(index)]
      if node.time > time {
        found = index
        index = node.left
      } else {
        index = node.right
      }
    }
    return found
  }

  /// Walks the steps strictly inside (after, before), whole subtrees at once where both bounds are known to hold.
  private func climb(
    _ index: Int32, after: UInt64, before: UInt64, allAfter: Bool, allBefore: Bool, _ level: inout Int64,
    _ best: inout Int64
  ) {
    guard index != Self.none else { return }
    let node = nodes[Int(index)]
    if allAfter && allBefore {
      best = max(best, level + node.peak)
      level += node.sum
    } else if !allAfter && node.time <= after {
      climb(node.right, after: after, before: before, allAfter: false, allBefore: allBefore, &level, &best)
    } else if !allBefore && node.time >= before {
      climb(node.left, after: after, before: before, allAfter: allAfter, allBefore: false, &level, &best)
    } else {
      climb(node.left, after: after, before: before, allAfter: allAfter, allBefore: true, &level, &best)
      level += node.step
      best = max(best, level)
      climb(node.right, after: after, before: before, allAfter: true, allBefore: allBefore, &level, &best)
    }
  }

  // MARK: Changes

  /// Raises the level over [from, to) by `amount`; a negative amount takes an earlier one back.
  mutating func add(_ amount: Int64, from: UInt64, to: UInt64) {
    guard from < to, amount != 0 else { return }
    root = change(root, at: from, by: amount)
    root = change(root, at: to, by: -amount)
  }

  private mutating func change(_ index: Int32, at time: UInt64, by step: Int64) -> Int32 {
    guard index != Self.none else { return allocate(time, step) }
    let node = nodes[Int(index)]
    if time < node.time {
      nodes[Int(index)].left = change(node.left, at: time, by: step)
    } else if time > node.time {
      nodes[Int(index)].right = change(node.right, at: time, by: step)
    } else if node.step + step != 0 {
      nodes[Int(index)].step += step
    } else {
      return remove(index)
    }
    return balance(index)
  }

  /// Takes the node out of its subtree and returns the subtree's new root.
  private mutating func remove(_ index: Int32) -> Int32 {
    let node = nodes[Int(index)]
    free(index)
    guard node.left != Self.none else { return node.right }
    guard node.right != Self.none else { return node.left }
    let (successor, rest) = removeFirst(node.right)
    nodes[Int(successor)].left = node.left
    nodes[Int(successor)].right = rest
    return balance(successor)
  }

  private mutating func removeFirst(_ index: Int32) -> (first: Int32, rest: Int32) {
    let left = nodes[Int(index)].left
    guard left != Self.none else { return (index, nodes[Int(index)].right) }
    let (first, rest) = removeFirst(left)
    nodes[Int(index)].left = rest
    return (first, balance(index))
  }

  // MARK: Balance

  private func sum(_ index: Int32) -> Int64 { index == Self.none ? 0 : nodes[Int(index)].sum }
  private func peak(_ index: Int32) -> Int64 { index == Self.none ? 0 : nodes[Int(index)].peak }
  private func height(_ index: Int32) -> Int32 { index == Self.none ? 0 : nodes[Int(index)].height }
  private func lean(_ index: Int32) -> Int32 { height(nodes[Int(index)].left) - height(nodes[Int(index)].right) }

  private mutating func update(_ index: Int32) {
    var node = nodes[Int(index)]
    let through = sum(node.left) + node.step
    node.sum = through + sum(node.right)
    node.peak = max(peak(node.left), through + peak(node.right))
    node.height = 1 + max(height(node.left), height(node.right))
    nodes[Int(index)] = node
  }

  private mutating func balance(_ index: Int32) -> Int32 {
    update(index)
    switch lean(index) {
    case 2...:
      if lean(nodes[Int(index)].left) < 0 { nodes[Int(index)].left = rotateLeft(nodes[Int(index)].left) }
      return rotateRight(index)
    case ...(-2):
      if lean(nodes[Int(index)].right) > 0 { nodes[Int(index)].right = rotateRight(nodes[Int(index)].right) }
      return rotateLeft(index)
    default:
      return index
    }
  }

  private mutating func rotateRight(_ index: Int32) -> Int32 {
    let pivot = nodes[Int(index)].left
    nodes[Int(index)].left = nodes[Int(pivot)].right
    nodes[Int(pivot)].right = index
    update(index)
    update(pivot)
    return pivot
  }

  private mutating func rotateLeft(_ index: Int32) -> Int32 {
    let pivot = nodes[Int(index)].right
    nodes[Int(index)].right = nodes[Int(pivot)].left
    nodes[Int(pivot)].left = index
    update(index)
    update(pivot)
    return pivot
  }

  // MARK: Memory

  private mutating func allocate(_ time: UInt64, _ step: Int64) -> Int32 {
    stepCount += 1
    let node = Node(time: time, step: step, sum: step, peak: max(0, step))
    guard firstFree != Self.none else {
      nodes.append(node)
      return Int32(nodes.count - 1)
    }
    let index = firstFree
    firstFree = nodes[Int(index)].left
    nodes[Int(index)] = node
    return index
  }

  private mutating func free(_ index: Int32) {
    stepCount -= 1
    nodes[Int(index)].left = firstFree
    firstFree = index
  }
}
