import Logging
import Topology

/// What a person says when they start a consortium on this machine.
public struct ConsortiumConfiguration: Sendable {
  /// The topology, as ``TopologyParser`` accepted it.
  public var topology: Topology
  /// The file it came from, byte for byte: kept in the data directory, so that a later start can tell whether it is
  /// still the same one.
  public var topologyText: [UInt8]
  /// Where everything durable lives (``NodeDirectory`` says what).
  public var dataDirectory: String
  /// Forget what the directory holds and found a new network in it. Without this a directory is resumed.
  public var isFresh: Bool
  /// Keys to found the network with, made by ``KeyFiles/generate()``; nil to make new ones. A resumed network must have
  /// been founded with the same.
  public var keyDirectory: String?
  /// The enclave's executable; nil for `ajit-enclave` beside the running one.
  public var enclaveExecutable: String?
  /// Stop on SIGINT and SIGTERM: at the first in order, at the second at once.
  public var handlesSignals: Bool
  public var logger: Logger

  public init(
    topology: Topology, topologyText: [UInt8], dataDirectory: String, isFresh: Bool = false,
    keyDirectory: String? = nil, enclaveExecutable: String? = nil, handlesSignals: Bool = true, logger: Logger
  ) {
    self.topology = topology
    self.topologyText = topologyText
    self.dataDirectory = dataDirectory
    self.isFresh = isFresh
    self.keyDirectory = keyDirectory
    self.enclaveExecutable = enclaveExecutable
    self.handlesSignals = handlesSignals
    self.logger = logger
  }
}
