import Messages
import Metering

/// What the edge's data plane does later, in order of time: one heap and one timer for all flows, so that packets do
/// not cost a timer each.
struct EdgeQueue: Sendable {
  enum Work: Sendable {
    /// A packet leaves the slice.
    case release(slot: UInt64, Packet)
    /// The endpoint's application sends.
    case generate(slot: UInt64)
  }

  private struct Entry: Sendable {
    let due: Instant
    /// Entries of one instant keep their order.
    let number: UInt64
    let work: Work

    func precedes(_ other: Entry) -> Bool { due == other.due ? number < other.number : due < other.due }
  }

  /// Packets on their way through all slices of one edge, at most.
  static let capacity = 1 << 16

  private var heap: [Entry] = []
  private var nextNumber: UInt64 = 0

  var nextDue: Instant? { heap.first?.due }
  var count: Int { heap.count }

  /// - Returns: false when the queue is full: the work is dropped.
  mutating func add(_ work: Work, at due: Instant) -> Bool {
    guard heap.count < Self.capacity else { return false }
    heap.append(Entry(due: due, number: nextNumber, work: work))
    nextNumber += 1
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard heap[child].precedes(heap[parent]) else { break }
      heap.swapAt(child, parent)
      child = parent
    }
    return true
  }

  /// The first work due by `now`.
  mutating func take(dueBy now: Instant) -> (work: Work, due: Instant)? {
    guard let first = heap.first, first.due <= now else { return nil }
    let last = heap.removeLast()
    if !heap.isEmpty {
      heap[0] = last
      sinkFirst()
    }
    return (first.work, first.due)
  }

  private mutating func sinkFirst() {
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child].precedes(heap[least]) {
        least = child
      }
      guard least != parent else { return }
      heap.swapAt(parent, least)
      parent = least
    }
  }
}
