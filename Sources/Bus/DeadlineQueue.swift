/// What falls due on the socket thread.
enum Due: Hashable, Sendable {
  case request(UInt64)
  case ticket(UInt64)
  /// A subscription's pause after a failed fetch is over.
  case subscription(Int)
  /// Tell subscribers the latest numbers. The generation tells a moved timer from its old entry.
  case announce(generation: UInt64)
  /// A message that was made to come late is due.
  case held(UInt64)
  /// Look for subscriptions that have been silent.
  case watch
}

/// A binary heap of deadlines. Entries are not removed when what they are for ends; whoever takes one asks whether it
/// is still wanted, and ``compact(keeping:)`` bounds the dead ones.
struct DeadlineQueue {
  private var heap: [(at: MonotonicInstant, due: Due)] = []

  var count: Int { heap.count }
  var next: (at: MonotonicInstant, due: Due)? { heap.first }

  mutating func add(_ due: Due, at: MonotonicInstant) {
    heap.append((at, due))
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard heap[child].at < heap[parent].at else { return }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  mutating func removeNext() {
    guard let last = heap.popLast(), !heap.isEmpty else { return }
    heap[0] = last
    sink(0)
  }

  /// Rebuilds the heap from the entries still wanted, in O(n).
  mutating func compact(keeping isWanted: (Due) -> Bool) {
    heap.removeAll { !isWanted($0.due) }
    for parent in stride(from: heap.count / 2 - 1, through: 0, by: -1) { sink(parent) }
  }

  private mutating func sink(_ start: Int) {
    var parent = start
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child].at < heap[least].at {
        least = child
      }
      if least == parent { return }
      heap.swapAt(parent, least)
      parent = least
    }
  }
}
