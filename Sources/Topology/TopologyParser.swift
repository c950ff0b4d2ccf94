/// A topology file that was accepted.
public struct TopologyFile: Hashable, Sendable {
  public let topology: Topology
  /// Not wrong, but worth telling the person who starts it.
  public let warnings: [Diagnostic]

  public init(topology: Topology, warnings: [Diagnostic]) {
    self.topology = topology
    self.warnings = warnings
  }
}

/// Reads topology files (YAML 1.2; the published schema is `topologies/schema.json`). Either everything in the file
/// makes sense, or nothing is started.
public enum TopologyParser {
  /// Larger files are refused before they are looked at, bytes.
  public static let maximumFileBytes = 1 << 20

  /// - Parameters:
  ///   - bytes: the file's content, UTF-8.
  ///   - file: how the file is called in diagnostics.
  /// - Throws: every error of the file, not only the first, and its warnings.
  public static func parse(_ bytes: [UInt8], file: String) throws(TopologyRefused) -> TopologyFile {
    let log = ErrorLog()
    guard let document = DocumentComposer.compose(bytes, log: log),
      let topology = TopologyReading(log: log).topology(document.root)
    else { throw TopologyRefused(log.diagnostics(file: file)) }
    var reported: Set<Position> = []
    for finding in topology.validate() where !([finding.pointer] + finding.basis).contains(where: log.isTainted) {
      let place = log.position(of: finding.pointer, in: document)
      // A thousand customers made from one template have its fault once.
      guard reported.insert(place).inserted || !log.isCopy(finding.pointer) else { continue }
      switch finding.severity {
      case .error: log.error(at: place, finding.message)
      case .warning: log.warning(at: place, finding.message)
      }
    }
    guard !log.hasErrors else { throw TopologyRefused(log.diagnostics(file: file)) }
    return TopologyFile(topology: topology, warnings: log.diagnostics(file: file))
  }
}
