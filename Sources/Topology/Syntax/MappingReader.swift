/// Takes the keys of one mapping out one by one. What is missing, of the wrong kind or left over at the end is
/// reported; a value that cannot be read is replaced by a harmless one, so that reading goes on to the next error.
struct MappingReader {
  let node: SourceNode
  let log: ErrorLog
  private let fields: [String: SourceNode.Field]
  private let order: [SourceNode.Field]
  /// Every key that was asked for, in order: what the format knows here.
  private var known: [String] = []

  /// - Parameter what: how an error message calls the element: "an operator".
  /// - Returns: nil when the node is not a mapping, which is reported.
  init?(_ node: SourceNode, _ what: String, log: ErrorLog) {
    guard case .mapping(let fields) = node.content else {
      log.expected("\(what) (keys and values)", at: node)
      return nil
    }
    self.node = node
    self.log = log
    self.order = fields
    self.fields = Dictionary(fields.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
  }

  // MARK: Elements

  mutating func take(_ key: String) -> SourceNode? {
    if !known.contains(key) { known.append(key) }
    return fields[key]?.value
  }

  mutating func require(_ key: String) -> SourceNode? {
    if let value = take(key) { return value }
    log.error(at: node.position, unreadable: "\(node.pointer)/\(key)", "'\(key)' is missing here; add it")
    return nil
  }

  func has(_ key: String) -> Bool { fields[key] != nil }

  // MARK: Scalars

  mutating func required<Value>(_ key: String, _ kind: ScalarKind<Value>, else substitute: Value) -> Value {
    guard let node = require(key) else { return substitute }
    return Self.read(node, kind, log: log) ?? substitute
  }

  mutating func optional<Value>(_ key: String, _ kind: ScalarKind<Value>) -> Value? {
    take(key).flatMap { Self.read($0, kind, log: log) }
  }

  mutating func optional<Value>(_ key: String, _ kind: ScalarKind<Value>, default value: Value) -> Value {
    optional(key, kind) ?? value
  }

  static func read<Value>(_ node: SourceNode, _ kind: ScalarKind<Value>, log: ErrorLog) -> Value? {
    if case .scalar(let text, let isPlain) = node.content, let value = kind.read(text, isPlain) { return value }
    log.expected(kind.expected, at: node)
    return nil
  }

  // MARK: Lists

  /// An absent key is an empty list.
  mutating func list<Element>(_ key: String, _ read: (SourceNode) -> Element?) -> [Element] {
    guard let node = take(key) else { return [] }
    return Self.elements(of: node, log: log, read)
  }

  mutating func requiredList<Element>(_ key: String, _ read: (SourceNode) -> Element?) -> [Element] {
    guard let node = require(key) else { return [] }
    return Self.elements(of: node, log: log, read)
  }

  mutating func list<Element>(_ key: String, of kind: ScalarKind<Element>) -> [Element] {
    let log = log
    return list(key) { Self.read($0, kind, log: log) }
  }

  mutating func requiredList<Element>(_ key: String, of kind: ScalarKind<Element>) -> [Element] {
    let log = log
    return requiredList(key) { Self.read($0, kind, log: log) }
  }

  private static func elements<Element>(
    of node: SourceNode, log: ErrorLog, _ read: (SourceNode) -> Element?
  ) -> [Element] {
    guard case .list(let elements) = node.content else {
      log.expected("a list (- element)", at: node)
      return []
    }
    let read = elements.compactMap(read)
    if read.count != elements.count { log.markUnreadable(node.pointer) }
    return read
  }

  // MARK: The end

  /// Reports what nobody asked for. Call it last.
  func finish() {
    for field in order where !known.contains(field.key) {
      let near = known.min { Self.distance($0, field.key) < Self.distance($1, field.key) }
      let hint: String
      if let near, Self.distance(near, field.key) <= 2 {
        hint = "did you mean '\(near)'?"
      } else {
        hint = "known here: \(known.joined(separator: ", "))"
      }
      log.error(at: field.keyPosition, "unknown key '\(field.key)'; \(hint)")
    }
  }

  /// Levenshtein distance, up to a few dozen characters; beyond that, far.
  static func distance(_ left: String, _ right: String) -> Int {
    let (left, right) = (Array(left.utf8), Array(right.utf8))
    guard left.count <= 64, right.count <= 64 else { return .max }
    var row = Array(0...right.count)
    for (index, byte) in left.enumerated() {
      var diagonal = row[0]
      row[0] = index + 1
      for column in right.indices {
        let substituted = diagonal + (byte == right[column] ? 0 : 1)
        diagonal = row[column + 1]
        row[column + 1] = min(substituted, row[column] + 1, diagonal + 1)
      }
    }
    return row[right.count]
  }
}
