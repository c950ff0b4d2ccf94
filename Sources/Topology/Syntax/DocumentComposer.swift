import Yams

/// From bytes to a ``SourceDocument`` by way of libyaml. Everything hostile about YAML ends here: size, depth, anchors
/// and aliases, tags, several documents in one file, keys given twice.
struct DocumentComposer {
  private let log: ErrorLog
  private var text: MaskedText
  private var positions: [String: Position] = [:]
  private var nodeCount = 0

  /// - Returns: nil when there is no tree to read; the log says why.
  static func compose(_ bytes: [UInt8], log: ErrorLog) -> SourceDocument? {
    guard bytes.count <= TopologyParser.maximumFileBytes else {
      log.error(
        at: .start,
        "the file has \(bytes.count) bytes, more than \(TopologyParser.maximumFileBytes); split the topology")
      return nil
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      log.error(at: .start, "the file is not UTF-8; save it as UTF-8")
      return nil
    }
    let masked = MaskedText(text)
    if let place = masked.foreignMask {
      log.error(at: place, "private-use character; remove it")
      return nil
    }
    var composer = DocumentComposer(log: log, text: masked)
    return composer.compose()
  }

  private init(log: ErrorLog, text: MaskedText) {
    self.log = log
    self.text = text
  }

  private mutating func compose() -> SourceDocument? {
    while true {
      // Anchors are weak references into the parser: it must outlive the walk.
      var parser: Parser?
      defer { withExtendedLifetime(parser) {} }
      do {
        // `.basic` resolves nothing: what a scalar means is this format's business, and regular expressions per
        // scalar are not free.
        parser = try Parser(yaml: text.text, resolver: .basic, encoding: .utf8)
        guard let node = try parser?.singleRoot() else {
          log.error(at: .start, "the file is empty; begin with 'version: 1'")
          return nil
        }
        let root = convert(node, pointer: "", depth: 1)
        return SourceDocument(root: root, positions: positions)
      } catch YamlError.duplicatedKeysInMapping(let keys, let context) {
        let place = Position(line: context.mark.line, column: context.mark.column)
        // Made different, so that composing can go on; `convert` reports it as a repeated key.
        guard text.maskKey(at: place) else {
          let names = keys.map(text.restore).map { "'\($0)'" }.joined(separator: ", ")
          log.error(at: place, "\(names) is given more than once in this mapping; keep one")
          return nil
        }
      } catch {
        report(error)
        return nil
      }
    }
  }

  private func report(_ error: any Error) {
    switch error {
    case YamlError.scanner(let context, let problem, let mark, _),
      YamlError.parser(let context, let problem, let mark, _):
      let place = Position(line: mark.line, column: mark.column)
      let about = context.map { " (\($0.text), line \($0.mark.line))" } ?? ""
      log.error(at: place, "not YAML: \(problem)\(about)")
    case YamlError.composer(_, let problem, let mark, _):
      let place = Position(line: mark.line, column: mark.column)
      log.error(at: place, "not one YAML document: \(problem); keep one")
    case YamlError.reader(let problem, let offset, _, let yaml):
      let place = offset.map { MaskedText.position(ofCharacter: $0, in: yaml) } ?? .start
      log.error(at: place, "not YAML: \(problem)")
    case YamlError.memory:
      log.error(at: .start, "too many levels inside one another")
    default:
      log.error(at: .start, "not YAML: \(error)")
    }
  }

  // MARK: Conversion

  private mutating func convert(_ node: Node, pointer: String, depth: Int) -> SourceNode {
    let position = Self.position(of: node)
    positions[pointer] = position
    nodeCount += 1
    if let refusal = refusal(of: node, depth: depth) {
      log.error(at: position, unreadable: pointer, refusal)
      return SourceNode(content: .refused, position: position, pointer: pointer)
    }
    let content: SourceNode.Content
    switch node {
    case .scalar(let scalar):
      content = .scalar(text.restore(scalar.string), isPlain: scalar.style == .plain)
    case .sequence(let sequence):
      content = .list(
        sequence.enumerated().map { convert($1, pointer: "\(pointer)/\($0)", depth: depth + 1) })
    case .mapping(let mapping):
      content = .mapping(fields(of: mapping, pointer: pointer, depth: depth))
    case .alias:
      content = .refused
    }
    return SourceNode(content: content, position: position, pointer: pointer)
  }

  private mutating func fields(of mapping: Node.Mapping, pointer: String, depth: Int) -> [SourceNode.Field] {
    var fields: [SourceNode.Field] = []
    var firstLines: [String: Int] = [:]
    for (key, value) in mapping {
      let position = Self.position(of: key)
      guard case .scalar(let scalar) = key, refusal(of: key, depth: depth) == nil else {
        log.error(at: position, "a key must be a word")
        continue
      }
      let name = text.restore(scalar.string)
      if let firstLine = firstLines.updateValue(position.line, forKey: name) {
        log.error(at: position, "'\(name)' is given twice, before in line \(firstLine); keep one")
        continue
      }
      let value = convert(value, pointer: "\(pointer)/\(Self.escaped(name))", depth: depth + 1)
      fields.append(SourceNode.Field(key: name, keyPosition: position, value: value))
    }
    return fields
  }

  /// Why an element is not looked into.
  private func refusal(of node: Node, depth: Int) -> String? {
    guard depth <= SourceDocument.maximumDepth, nodeCount <= SourceDocument.maximumNodes else {
      return "too many elements, or too many levels inside one another"
    }
    guard node.anchor == nil else { return "anchors (&) are not used in topologies; write the value out" }
    let tag: Tag
    switch node {
    case .scalar(let scalar):
      if scalar.style == .plain, text.isAlias(scalar.string) { return Self.aliasRefusal }
      // libyaml itself tags what stands in quotes.
      if scalar.style != .plain { return nil }
      tag = scalar.tag
    case .sequence(let sequence): tag = sequence.tag
    case .mapping(let mapping): tag = mapping.tag
    case .alias: return Self.aliasRefusal
    }
    // Yams resolves the tags of keys while it looks for duplicates.
    let isImplicit = tag.description.isEmpty || tag.description == Tag.Name.str.rawValue
    return isImplicit ? nil : "tags (!) are not used in topologies; remove it"
  }

  private static let aliasRefusal = "aliases (*) are not used in topologies; write the value out"

  /// RFC 6901 §3.
  private static func escaped(_ name: String) -> String {
    guard name.utf8.contains(where: { $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "/") }) else { return name }
    return name.reduce(into: "") { text, character in
      switch character {
      case "~": text += "~0"
      case "/": text += "~1"
      default: text.append(character)
      }
    }
  }

  private static func position(of node: Node) -> Position {
    node.mark.map { Position(line: $0.line, column: $0.column) } ?? .start
  }
}
