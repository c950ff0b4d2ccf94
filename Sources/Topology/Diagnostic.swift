/// Something that a topology file says and should not, with its place: `FILE:LINE:COL: error: message`, the form that
/// editors jump from. The message says what was found and what to do.
public struct Diagnostic: Hashable, Sendable, CustomStringConvertible {
  public enum Severity: String, Sendable {
    /// The file is refused.
    case error
    /// The file is used; what it describes will probably disappoint.
    case warning
  }

  public var file: String
  /// From 1.
  public var line: Int
  /// From 1, in Unicode scalars.
  public var column: Int
  public var severity: Severity
  public var message: String

  public init(file: String, line: Int, column: Int, severity: Severity, message: String) {
    self.file = file
    self.line = line
    self.column = column
    self.severity = severity
    self.message = message
  }

  public var description: String { "\(file):\(line):\(column): \(severity.rawValue): \(message)" }
}

/// Why a topology file was refused: every error found (and the warnings), in the order of the file.
public struct TopologyRefused: Error, Hashable, Sendable, CustomStringConvertible {
  public let diagnostics: [Diagnostic]

  public init(_ diagnostics: [Diagnostic]) { self.diagnostics = diagnostics }

  public var description: String { diagnostics.map(\.description).joined(separator: "\n") }
}
