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

/// Reads topology files. Either everything in the file makes sense, or nothing is started.
public enum TopologyParser {
  /// Larger files are refused before they are looked at, bytes.
  public static let maximumFileBytes = 1 << 20

  /// - Parameters:
  ///   - bytes: the file's content: YAML 1.2, UTF-8.
  ///   - file: how the file is called in diagnostics.
  /// - Throws: every error of the file, not only the first.
  public static func parse(_ bytes: [UInt8], file: String) throws(TopologyRefused) -> TopologyFile {
    throw TopologyRefused([])
  }
}
