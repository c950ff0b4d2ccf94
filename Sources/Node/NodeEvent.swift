/// What happens to the processes of a spread consortium, for whoever watches or disturbs them.
public struct NodeEvent: Sendable {
  public enum Kind: Sendable {
    case started
    /// Its actors are on the bus.
    case ready
    /// Every actor of it answered a question over the bus, and those that follow the ledger know all that was final
    /// when it was started: it is of use again.
    case answering
    /// By itself; the text says how, and its last lines.
    case ended(String)
    /// By the topology's `faults:`; the text says how.
    case struck(String)
  }

  public let node: String
  public let process: Int32
  public let kind: Kind
}

extension NodeEvent {
  /// What happened to the same process afterwards.
  func next(_ kind: Kind) -> NodeEvent { NodeEvent(node: node, process: process, kind: kind) }
}
