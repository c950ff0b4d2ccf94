import Messages

/// What is still to happen, ordered by instant and, within one instant, by when it was scheduled. That order is total,
/// so a world has exactly one history. A binary heap.
struct EventQueue<Element> {
  private struct Entry {
    let at: Instant
    let number: UInt64
    let element: Element
  }

  private var heap: [Entry] = []
  private var lastNumber: UInt64 = 0

  var count: Int { heap.count }
  var nextInstant: Instant? { heap.first?.at }

  mutating func schedule(_ element: Element, at instant: Instant) {
    lastNumber += 1
    heap.append(Entry(at: instant, number: lastNumber, element: element))
    var index = heap.count - 1
    while index > 0, precedes(index, (index - 1) / 2) {
      heap.swapAt(index, (index - 1) / 2)
      index = (index - 1) / 2
    }
  }

  mutating func removeFirst() -> (at: Instant, element: Element)? {
    guard let first = heap.first else { return nil }
    heap.swapAt(0, heap.count - 1)
    heap.removeLast()
    var index = 0
    while true {
      var least = index
      let child = 2 * index + 1
      if child < heap.count, precedes(child, least) { least = child }
      if child + 1 < heap.count, precedes(child + 1, least) { least = child + 1 }
      if least == index { break }
      heap.swapAt(index, least)
      index = least
    }
    return (first.at, first.element)
  }

  private func precedes(_ left: Int, _ right: Int) -> Bool {
    (heap[left].at, heap[left].number) < (heap[right].at, heap[right].number)
  }
}
