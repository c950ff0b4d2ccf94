import Messages

extension Topology {
  public struct Customer: Hashable, Sendable {
    public var name: String
    /// Balance in the genesis; escrows come out of it.
    public var credit: Amount
    public var enclaves: [Enclave]
    public var activations: [Activation]
    /// Other customers' flows that this one takes part in. What is not listed it refuses.
    public var accepts: [Acceptance]

    public init(
      name: String, credit: Amount, enclaves: [Enclave], activations: [Activation], accepts: [Acceptance] = []
    ) {
      self.name = name
      self.credit = credit
      self.enclaves = enclaves
      self.activations = activations
      self.accepts = accepts
    }
  }

  /// A customer's trusted end of the metered path.
  public struct Enclave: Hashable, Sendable {
    public var name: String
    public var measurement: Measurement
    /// The process that holds it, see ``EnclaveProcess``: one of its own, of its name, unless the file says otherwise.
    public var process: String

    public init(name: String, measurement: Measurement = .auto, process: String? = nil) {
      self.name = name
      self.measurement = measurement
      self.process = process ?? name
    }
  }

  /// A process of the enclave executable and the enclaves in it, in file order.
  public struct EnclaveProcess: Hashable, Sendable {
    public let name: String
    public internal(set) var enclaves: [String]
  }

  /// In the order of their first enclaves.
  public var enclaveProcesses: [EnclaveProcess] {
    var processes: [EnclaveProcess] = []
    var numbers: [String: Int] = [:]
    for enclave in customers.flatMap(\.enclaves) {
      if let number = numbers[enclave.process] {
        processes[number].enclaves.append(enclave.name)
      } else {
        numbers[enclave.process] = processes.count
        processes.append(EnclaveProcess(name: enclave.process, enclaves: [enclave.name]))
      }
    }
    return processes
  }

  public func customer(named name: String) -> Customer? { customers.first { $0.name == name } }

  /// Consent to another customer's activation: this customer's end of that flow.
  public struct Acceptance: Hashable, Sendable {
    /// Name of the activation.
    public var activation: String
    /// Where this end is at the start.
    public var cell: String
    public var enclave: String
    /// What this customer's application sends (`down`: towards the payer).
    public var traffic: Traffic
    public var moves: [Move]

    public init(activation: String, cell: String, enclave: String, traffic: Traffic = .silent, moves: [Move] = []) {
      self.activation = activation
      self.cell = cell
      self.enclave = enclave
      self.traffic = traffic
      self.moves = moves
    }
  }
}
