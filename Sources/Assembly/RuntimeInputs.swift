import Messages
import Roles
import Signing

/// What only the place where actors run can say: which they are, keys, randomness, ports and what was launched.
public struct RuntimeInputs<Keys: Keyring> {
  /// Whether an actor runs here.
  public var runs: (ActorAddress) -> Bool
  public var keyring: Keys
  /// 32 bytes for an actor, drawn anew for each life (a simulation: from its seed).
  public var entropy: (ActorAddress) -> [UInt8]
  /// Per edge: towards the enclaves, and the operator-side endpoint's own.
  public var edgePorts: [String: EdgePorts]
  /// Per customer: where its application sends and receives.
  public var customerPorts: [String: DataAddress]
  /// Per enclave that was launched here: what it reported.
  public var enclaves: [String: EnclaveIdentity]
  /// Per enclave, wherever it runs: where it takes its application's datagrams.
  public var enclavePorts: [String: DataAddress]
  /// What the launcher measured.
  public var measurement: Digest
  /// Per enclave: launches so far, this one included.
  public var bootCounts: [String: UInt64]
  /// What edges say about the clock they stamp with.
  public var clock: ClockQuality
  /// The actors that run here live and die together, so that one of the customers may read the ledger for all.
  public var sharesReading: Bool
  /// How much of the past the validators here keep.
  public var history = HistoryPolicy()

  /// - Parameters:
  ///   - runs: nil where every actor runs.
  ///   - enclavePorts: nil where every enclave was launched.
  public init(
    runs: ((ActorAddress) -> Bool)? = nil, keyring: Keys, entropy: @escaping (ActorAddress) -> [UInt8],
    edgePorts: [String: EdgePorts], customerPorts: [String: DataAddress], enclaves: [String: EnclaveIdentity],
    enclavePorts: [String: DataAddress]? = nil, measurement: Digest, bootCounts: [String: UInt64], clock: ClockQuality,
    sharesReading: Bool
  ) {
    self.runs = runs ?? { _ in true }
    self.keyring = keyring
    self.entropy = entropy
    self.edgePorts = edgePorts
    self.customerPorts = customerPorts
    self.enclaves = enclaves
    self.enclavePorts = enclavePorts ?? enclaves.mapValues(\.applicationPort)
    self.measurement = measurement
    self.bootCounts = bootCounts
    self.clock = clock
    self.sharesReading = sharesReading
  }
}

/// Whoever runs the actors did not say something that an actor needs: a fault of the program.
public struct MissingInput: Error, Hashable, Sendable, CustomStringConvertible {
  public let description: String
}

public struct EdgePorts: Hashable, Sendable {
  public var network: DataAddress
  public var endpoint: DataAddress

  public init(network: DataAddress, endpoint: DataAddress) {
    self.network = network
    self.endpoint = endpoint
  }
}
