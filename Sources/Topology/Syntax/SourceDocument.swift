/// A place in a file: line and column from 1, columns in Unicode scalars (as libyaml counts).
struct Position: Hashable, Comparable {
  var line: Int
  var column: Int

  static let start = Position(line: 1, column: 1)

  static func < (left: Position, right: Position) -> Bool {
    (left.line, left.column) < (right.line, right.column)
  }
}

/// One node of the file with its place. What the file means is read from these, never from Yams' own nodes, so that
/// bounds, anchors and duplicate keys are dealt with once, in ``SourceDocument``.
struct SourceNode {
  enum Content {
    /// `isPlain`: written without quotes, so YAML's core schema decides whether it is text or a number.
    case scalar(String, isPlain: Bool)
    case list([SourceNode])
    case mapping([Field])
    /// Not looked into; the log says why.
    case refused
  }

  struct Field {
    let key: String
    let keyPosition: Position
    let value: SourceNode
  }

  let content: Content
  let position: Position
  /// RFC 6901 JSON pointer.
  let pointer: String

  /// As an error message calls it.
  var kindName: String {
    switch content {
    case .scalar(let text, _): text.isEmpty ? "nothing" : "'\(Self.shortened(text))'"
    case .list: "a list"
    case .mapping: "a mapping"
    case .refused: "something refused"
    }
  }

  private static func shortened(_ text: String) -> String {
    text.unicodeScalars.count <= 60 ? text : String(String.UnicodeScalarView(text.unicodeScalars.prefix(59))) + "…"
  }
}

/// A well-formed file: its root, and where every element stands.
struct SourceDocument {
  let root: SourceNode
  private let positions: [String: Position]

  /// Nodes inside one another, at most. The format needs eight.
  static let maximumDepth = 16
  /// Nodes of one file, at most.
  static let maximumNodes = 200_000

  init(root: SourceNode, positions: [String: Position]) {
    self.root = root
    self.positions = positions
  }

  /// The place of the element, or of the nearest element around it: a finding about a key that was left out, or
  /// about something derived (a node of an expanded tree), points at what the person wrote.
  func position(of pointer: String) -> Position {
    var pointer = Substring(pointer)
    while true {
      if let position = positions[String(pointer)] { return position }
      guard let slash = pointer.lastIndex(of: "/") else { return root.position }
      pointer = pointer[..<slash]
    }
  }
}

/// Collects what is wrong with a file while reading goes on.
final class ErrorLog {
  private struct Entry: Hashable {
    let position: Position
    let severity: Diagnostic.Severity
    let message: String

    init(_ position: Position, _ severity: Diagnostic.Severity, _ message: String) {
      self.position = position
      self.severity = severity
      self.message = message
    }
  }

  private var entries: [Entry] = []
  private var seen: Set<Entry> = []
  private(set) var hasErrors = false
  /// JSON pointers of elements that could not be read: checks that need their values are not to be believed.
  private var unreadable: Set<String> = []
  /// All elements around unreadable ones.
  private var aroundUnreadable: Set<String> = []
  private var relocated: [String: Position] = [:]
  private var redirected: [String: String] = [:]
  private var written: Set<String> = []
  private var copies: Set<String> = []

  /// More than this and the file is not a topology at all.
  static let maximumEntries = 200

  func error(at position: Position, _ message: String) { append(Entry(position, .error, message)) }

  /// - Parameter pointer: the element whose value is unknown from now on.
  func error(at position: Position, unreadable pointer: String, _ message: String) {
    markUnreadable(pointer)
    error(at: position, message)
  }

  /// The element is of another kind than the format asks for. Silent when it was refused already.
  func expected(_ what: String, at node: SourceNode) {
    guard !unreadable.contains(node.pointer) else { return }
    error(at: node.position, unreadable: node.pointer, "expected \(what), found \(node.kindName)")
  }

  /// Elements were left out of what was read, so positions in the list are not those of the file.
  func markUnreadable(_ pointer: String) {
    unreadable.insert(pointer)
    for prefix in Self.prefixes(of: pointer) { aroundUnreadable.insert(prefix) }
  }

  /// Whether a check's finding about the element rests on something that could not be read: inside, at or around it.
  func isTainted(_ pointer: String) -> Bool {
    let pointer = source(of: pointer)
    return unreadable.contains(pointer) || aroundUnreadable.contains(pointer)
      || Self.prefixes(of: pointer).contains(where: unreadable.contains)
  }

  /// The pointers of everything around an element, from the inside out.
  private static func prefixes(of pointer: String) -> [String] {
    var prefixes: [String] = []
    var prefix = Substring(pointer)
    while let slash = prefix.lastIndex(of: "/") {
      prefix = prefix[..<slash]
      prefixes.append(String(prefix))
    }
    return prefixes
  }

  /// The element of the model stands elsewhere in the file than its pointer says.
  func relocate(_ pointer: String, to position: Position) { relocated[pointer] = position }

  /// The element of the model is made from what the file has at another pointer.
  func redirect(_ pointer: String, to source: String) {
    redirected[pointer] = source
    if !written.insert(source).inserted { copies.insert(pointer) }
  }

  /// Whether something else was made from the same part of the file before: what is wrong here is wrong there, too.
  func isCopy(_ pointer: String) -> Bool { Self.prefixes(of: pointer).contains(where: copies.contains) }

  /// The pointer of what the file has for an element of the model.
  private func source(of pointer: String) -> String {
    for prefix in [pointer] + Self.prefixes(of: pointer) {
      if let source = redirected[prefix] { return source + pointer.dropFirst(prefix.count) }
    }
    return pointer
  }

  /// Where a check's finding about an element of the model belongs in the file.
  func position(of pointer: String, in document: SourceDocument) -> Position {
    let pointer = source(of: pointer)
    var prefix = Substring(pointer)
    while let slash = prefix.lastIndex(of: "/") {
      if let position = relocated[String(prefix)] { return position }
      prefix = prefix[..<slash]
    }
    return document.position(of: pointer)
  }

  func warning(at position: Position, _ message: String) { append(Entry(position, .warning, message)) }

  private func append(_ entry: Entry) {
    if entry.severity == .error { hasErrors = true }
    if entries.count < Self.maximumEntries, seen.insert(entry).inserted { entries.append(entry) }
  }

  /// In the order of the file, each once.
  func diagnostics(file: String) -> [Diagnostic] {
    let ordered = entries.enumerated().sorted { left, right in
      (left.element.position, left.offset) < (right.element.position, right.offset)
    }
    return ordered.map { _, entry in
      Diagnostic(
        file: file, line: entry.position.line, column: entry.position.column, severity: entry.severity,
        message: entry.message)
    }
  }
}
