import Messages
import Signing

public struct ConsensusCore: Sendable {
  public let configuration: ConsensusConfiguration
  public private(set) var view: View = 1
  public private(set) var finalized: BlockReference

  /// - Parameters:
  ///   - finalized: the last block of the block log; nil for a member whose log is empty.
  ///   - records: in ascending order of key.
  public init(configuration: ConsensusConfiguration, finalized: BlockHeader?, replaying records: [ConsensusRecord]) {
    self.configuration = configuration
    self.finalized = BlockReference(
      hash: configuration.network, view: 0, height: 0, time: configuration.genesisTime)
  }

  public mutating func handle(_ event: ConsensusEvent, at now: Instant) -> [ConsensusEffect] {
    []
  }
}
