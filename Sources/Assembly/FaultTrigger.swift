import Effects
import Messages
import Topology

extension Topology.FaultTrigger {
  /// Whether an event is the one that is waited for, or lies behind it.
  public func isMet(by observation: Observation) -> Bool {
    switch (self, observation) {
    case (.height(let wanted), .blockFinal(let height, _, _, _)): height >= wanted
    case (.view(let wanted), .blockFinal(_, let view, _, _)): view >= wanted
    case (.epoch(let wanted), .epochRecorded(_, let record)): record.epoch >= wanted
    default: false
    }
  }
}
