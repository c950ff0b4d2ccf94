import Effects
import Messages

/// The timers of one role: due ones come out in order of their instants, then of their setting.
struct Timers {
  private struct Entry {
    let at: Instant
    let order: UInt64
    let id: TimerID
  }

  private var due: [TimerID: (at: Instant, order: UInt64)] = [:]
  /// A binary heap; entries that no longer match `due` are skipped when they surface.
  private var heap: [Entry] = []
  private var lastOrder: UInt64 = 0

  mutating func set(_ id: TimerID, at: Instant) {
    lastOrder += 1
    due[id] = (at, lastOrder)
    heap.append(Entry(at: at, order: lastOrder, id: id))
    siftUp(heap.count - 1)
    if heap.count > 64, heap.count > due.count * 4 { rebuild() }
  }

  mutating func cancel(_ id: TimerID) { due[id] = nil }

  /// When the next one is due.
  mutating func next() -> Instant? {
    dropStale()
    return heap.first?.at
  }

  /// Takes the next one if it is due at `now`.
  mutating func pop(dueAt now: Instant) -> TimerID? {
    dropStale()
    guard let first = heap.first, first.at <= now else { return nil }
    removeFirst()
    due[first.id] = nil
    return first.id
  }

  private mutating func dropStale() {
    while let first = heap.first, due[first.id]?.order != first.order { removeFirst() }
  }

  private mutating func rebuild() {
    heap = heap.filter { due[$0.id]?.order == $0.order }
    for index in stride(from: heap.count / 2, through: 0, by: -1) where index < heap.count { siftDown(index) }
  }

  private static func precedes(_ left: Entry, _ right: Entry) -> Bool {
    left.at == right.at ? left.order < right.order : left.at < right.at
  }

  private mutating func removeFirst() {
    heap.swapAt(0, heap.count - 1)
    heap.removeLast()
    siftDown(0)
  }

  private mutating func siftUp(_ start: Int) {
    var index = start
    while index > 0, Self.precedes(heap[index], heap[(index - 1) / 2]) {
      heap.swapAt(index, (index - 1) / 2)
      index = (index - 1) / 2
    }
  }

  private mutating func siftDown(_ start: Int) {
    var index = start
    while true {
      var least = index
      for child in [2 * index + 1, 2 * index + 2] where child < heap.count {
        if Self.precedes(heap[child], heap[least]) { least = child }
      }
      if least == index { return }
      heap.swapAt(index, least)
      index = least
    }
  }
}
