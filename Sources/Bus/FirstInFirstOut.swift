/// A queue in an array: what was taken stays at the front until it is half of the array, so that moving the rest
/// costs O(1) per element.
struct FirstInFirstOut<Element> {
  private var storage: [Element?] = []
  private var head = 0

  var count: Int { storage.count - head }
  var isEmpty: Bool { count == 0 }
  var first: Element? { isEmpty ? nil : storage[head] }

  /// - Parameter index: from 0, the oldest.
  subscript(index: Int) -> Element? { index >= 0 && index < count ? storage[head + index] : nil }

  mutating func append(_ element: Element) { storage.append(element) }

  @discardableResult
  mutating func popFirst() -> Element? {
    guard !isEmpty else { return nil }
    let element = storage[head]
    storage[head] = nil
    head += 1
    if head * 2 >= storage.count {
      storage.removeFirst(head)
      head = 0
    }
    return element
  }

  /// Takes up to `maximum` elements, oldest first.
  mutating func popFirst(_ maximum: Int) -> [Element] {
    var taken: [Element] = []
    taken.reserveCapacity(Swift.min(maximum, count))
    while taken.count < maximum, let element = popFirst() { taken.append(element) }
    return taken
  }

  mutating func removeAll(where isUnwanted: (Element) -> Bool) {
    storage = storage[head...].filter { element in element.map { !isUnwanted($0) } ?? false }
    head = 0
  }
}
