/// Puts a newly founded network in the place of the one a data directory holds, so that at every moment, whatever stops
/// the process, one of the two is there whole or can be put back:
///
///     DIR/founding/       the new network while it is made; worth nothing to a later start
///     DIR/before/         the old one, until the start that founded the new one has succeeded
///     DIR/before/whole    the old one is all in there: whatever else lies in DIR is of the new one
///
/// A network is in place when its genesis is: it is moved away first and put in place last.
struct NetworkSwap: Sendable {
  let path: String
  /// What a network consists of, its genesis first.
  let names: [String]

  var founding: String { "\(path)/founding" }
  private var before: String { "\(path)/before" }
  private var whole: String { "\(before)/whole" }
  private var genesis: String { names[0] }

  /// Undoes a swap that was interrupted, and forgets what one left. Comes first, whenever a directory is opened.
  func recover() throws(NodeError) {
    Files.remove(founding)
    guard Files.exists(before) else { return }
    if Files.exists("\(path)/\(genesis)") {
      // Either swap was finished: the new one stands, or the old one was put back.
      Files.remove(before)
    } else {
      try putBack()
    }
  }

  /// Puts what was made in ``founding`` in place.
  func putInPlace() throws(NodeError) {
    if names.contains(where: { Files.exists("\(path)/\($0)") }) {
      try Files.makeDirectory(before)
      for name in names { try move(name, from: path, to: before) }
      try Files.create(whole, [])
      try Files.synchronizeDirectory(before)
      try Files.synchronizeDirectory(path)
    }
    for name in names.reversed() { try move(name, from: founding, to: path) }
    try Files.synchronizeDirectory(path)
    Files.remove(founding)
  }

  /// The start succeeded: the old network is given up.
  func confirm() { Files.remove(before) }

  /// The start failed: the new network is given up, and the old one, if there was one, is as it was.
  /// - Returns: whether there was one.
  @discardableResult
  func undo() throws(NodeError) -> Bool {
    Files.remove(founding)
    let hasOld = Files.exists(before)
    if hasOld, !Files.exists(whole) {
      // It was still being moved away: nothing of the new one is in place.
      try putBack()
    } else {
      for name in names { Files.remove("\(path)/\(name)") }
      if hasOld { try putBack() }
    }
    return hasOld
  }

  private func putBack() throws(NodeError) {
    if Files.exists(whole) {
      for name in names { Files.remove("\(path)/\(name)") }
      Files.remove(whole)
      try Files.synchronizeDirectory(before)
    }
    for name in names.reversed() { try move(name, from: before, to: path) }
    try Files.synchronizeDirectory(path)
    Files.remove(before)
  }

  private func move(_ name: String, from: String, to: String) throws(NodeError) {
    guard Files.exists("\(from)/\(name)") else { return }
    try Files.move("\(from)/\(name)", to: "\(to)/\(name)")
  }
}
