/// What checking found about one element of a topology, before anybody knows where in a file it stands.
public struct Finding: Hashable, Sendable, CustomStringConvertible {
  /// RFC 6901 JSON pointer: `/operators/0/edges/1/cells/0`.
  public var pointer: String
  public var severity: Diagnostic.Severity
  public var message: String
  /// Other elements that the finding rests on: if one of them could not be read, the finding is a mere consequence
  /// of that and not reported.
  public var basis: [String]

  public init(
    _ pointer: String, _ severity: Diagnostic.Severity = .error, _ message: String, basis: [String] = []
  ) {
    self.pointer = pointer
    self.severity = severity
    self.message = message
    self.basis = basis
  }

  public var description: String { "\(pointer): \(severity.rawValue): \(message)" }
}

extension Topology {
  /// Everything that can be known to be wrong, or likely to disappoint, before anything starts. A topology without
  /// findings of severity `error` can be started.
  public func validate() -> [Finding] {
    var check = TopologyCheck(topology: self)
    check.run()
    return check.findings
  }
}
