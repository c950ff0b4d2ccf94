import Messages

/// Why no slice can be stitched now, and what would be possible (3GPP TS 28.541 `inFeasibleReason`,
/// `recommendedRequirements`). Goes to the customer in RejectSlice with a full refund (paper §3.2.1).
public struct Infeasible: Error, Hashable, Sendable {
  public enum Reason: Hashable, Sendable {
    /// Nothing leads from the cell through the chain to the other end, whatever its capacity.
    case noRoute
    /// There is a way, but not enough of it is free in the window; the tightest element of the cheapest way.
    case capacity(at: Resource)
    /// With the throughput and loss asked for, this is the shortest delay to be had.
    case delay(best: Span)
    /// With the throughput and delay asked for, this is the least loss to be had, parts per billion.
    case loss(best: UInt32)
    /// No node hosts this kind of network function.
    case networkFunctionMissing(kind: String)
    /// No user attaches in this cell.
    case areaNotServed(cell: String)
    /// No endpoint of that name exists.
    case unknownEndpoint(String)
    /// The requirements contradict themselves: an empty window, no throughput, a chain that is too long.
    case malformed(String)
    /// Search gave up at ``PathSearch/maximumLabels`` partial paths: whether a slice exists is not known.
    case searchLimit
  }

  public let reason: Reason
  /// Requirements that search found feasible in the same state of the calendar; nil when relaxing does not help.
  public let recommended: SliceRequirements?

  public init(_ reason: Reason, recommended: SliceRequirements? = nil) {
    self.reason = reason
    self.recommended = recommended
  }

  /// As it travels in RejectSlice.
  public var rejectionReason: RejectionReason {
    switch reason {
    case .noRoute, .unknownEndpoint: .noRoute
    case .capacity: .capacity
    case .delay: .delay
    case .loss: .loss
    case .networkFunctionMissing: .networkFunctionMissing
    case .areaNotServed: .areaNotServed
    case .malformed: .policy
    case .searchLimit: .searchLimit
    }
  }
}
