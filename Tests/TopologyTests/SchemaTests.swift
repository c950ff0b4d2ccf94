import Foundation
import Testing

@testable import Topology

/// The published schema and the parser know the same keys and words. (That they judge files alike is tested with a
/// public library, in Tests/Interop/test_schema.py.)
@Suite struct SchemaTests {
  /// A JSON value, as far as a schema has them.
  indirect enum JSON {
    case object([String: JSON])
    case array([JSON])
    case text(String)
    case other

    init(_ value: Any) {
      switch value {
      case let object as [String: Any]: self = .object(object.mapValues(JSON.init))
      case let array as [Any]: self = .array(array.map(JSON.init))
      case let text as String: self = .text(text)
      default: self = .other
      }
    }

    subscript(_ key: String) -> JSON? {
      if case .object(let object) = self { object[key] } else { nil }
    }

    var elements: [JSON] { if case .array(let array) = self { array } else { [] } }
    var texts: [String] { elements.compactMap { if case .text(let text) = $0 { text } else { nil } } }
    var keys: [String] { if case .object(let object) = self { object.keys.sorted() } else { [] } }
  }

  let schema: JSON

  init() throws {
    let bytes = try Data(contentsOf: Files.root.appending(path: "topologies/schema.json"))
    schema = JSON(try JSONSerialization.jsonObject(with: bytes))
  }

  /// What a schema stands for at an element: references followed, and of several forms the one that has its keys.
  private func resolved(_ schema: JSON, for node: SourceNode) -> JSON {
    if case .text(let reference)? = schema["$ref"] {
      let name = String(reference.dropFirst("#/$defs/".count))
      return resolved(self.schema["$defs"]?[name] ?? .other, for: node)
    }
    guard let forms = schema["oneOf"]?.elements, schema["properties"] == nil else { return schema }
    guard case .mapping(let fields) = node.content else { return schema }
    let candidates = forms.map { resolved($0, for: node) }
    return candidates.first { form in
      let known = form["properties"]?.keys ?? []
      return fields.allSatisfy { known.contains($0.key) || $0.key == Self.foreignKey }
    } ?? schema
  }

  /// Goes through file and schema together, with every mapping's pointer and the keys that the schema knows there.
  private func visit(_ node: SourceNode, _ schema: JSON, _ body: (SourceNode, [String]) -> Void) {
    let schema = resolved(schema, for: node)
    switch node.content {
    case .mapping(let fields):
      body(node, schema["properties"]?.keys ?? [])
      for field in fields where field.key != Self.foreignKey {
        visit(field.value, schema["properties"]?[field.key] ?? .other, body)
      }
    case .list(let elements):
      for element in elements { visit(element, schema["items"] ?? .other, body) }
    case .scalar, .refused: break
    }
  }

  private static let foreignKey = "nobody-knows-this-key"

  /// The same node with a key that nobody knows in every mapping, placed where only this mapping is.
  private func poisoned(_ node: SourceNode) -> SourceNode {
    let content: SourceNode.Content
    switch node.content {
    case .mapping(let fields):
      let foreign = SourceNode(content: .list([]), position: node.position, pointer: node.pointer + "/foreign")
      content = .mapping(
        fields.map { SourceNode.Field(key: $0.key, keyPosition: $0.keyPosition, value: poisoned($0.value)) }
          + [SourceNode.Field(key: Self.foreignKey, keyPosition: node.position, value: foreign)])
    case .list(let elements): content = .list(elements.map(poisoned))
    case .scalar, .refused: content = node.content
    }
    return SourceNode(content: content, position: node.position, pointer: node.pointer)
  }

  @Test func parserAndSchemaKnowTheSameKeysEverywhere() throws {
    let file = Files.fixtures.appending(path: "full.yaml")
    #expect(complaints(about: try Files.bytes(file)) == [])
    let document = try #require(DocumentComposer.compose(try Files.bytes(file), log: ErrorLog()))
    let root = poisoned(document.root)
    let log = ErrorLog()
    _ = TopologyReading(log: log).topology(root)
    // Line and column of each mapping, with the keys that the parser says it knows there.
    var knownByParser: [Position: [String]] = [:]
    for diagnostic in log.diagnostics(file: "f") {
      let parts = diagnostic.message.components(separatedBy: "known here: ")
      guard parts.count == 2 else { continue }
      knownByParser[Position(line: diagnostic.line, column: diagnostic.column)] =
        parts[1].components(separatedBy: ", ").sorted()
    }
    var mappings = 0
    visit(root, schema) { node, knownBySchema in
      mappings += 1
      // A rule's and a substrate's other form: only the keys of the form chosen are asked for.
      var parser = knownByParser[node.position] ?? []
      if node.pointer.hasSuffix("/substrate") { parser = parser.filter(knownBySchema.contains) }
      #expect(parser == knownBySchema, "\(node.pointer)")
    }
    #expect(mappings > 50)
  }

  @Test func wordsAreTheSame() {
    func words(_ definition: String, _ key: String) -> [String] {
      schema["$defs"]?[definition]?["properties"]?[key]?["enum"]?.texts.sorted() ?? []
    }
    #expect(words("presetRule", "preset") == FiveQI.all.map(\.name).sorted())
    let metrics = ["sampledRule", "ratioRule", "survivalRule"].flatMap { words($0, "metric") }
    #expect(metrics.sorted() == TopologyReading.metrics.map(\.0).sorted())
    #expect(words("sampledRule", "statistic") == TopologyReading.statistics.map(\.0).filter { $0 != "value" }.sorted())
    #expect(words("expectation", "state") == TopologyReading.expectableStates.map(\.0).sorted())
  }
}
