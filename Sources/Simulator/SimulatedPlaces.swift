import Assembly
import Messages
import Metering
import Signing
import Topology

/// What only the place where actors run can say, made up for a simulation: ports from a private range (RFC 1918), keys
/// and randomness from the seed, one clock for all.
struct SimulatedPlaces {
  let seed: UInt64
  let keyring: SeededKeyring
  let edgePorts: [String: EdgePorts]
  let customerPorts: [String: DataAddress]
  let enclaves: [Enclave]

  struct Enclave {
    let name: String
    let customer: String
    let receiptKey: SigningKey
    let agreementKey: KeyAgreementKey
    let applicationPort: DataAddress
    let networkPort: DataAddress

    var identity: EnclaveIdentity {
      EnclaveIdentity(receiptKey: receiptKey.publicKey, applicationPort: applicationPort)
    }
  }

  /// What the file `ajit-enclave` would be measured as.
  static let measurement = Digest(label: "AJIT simulated enclave", [])
  /// Every point reads the world's one clock.
  static let clock = ClockQuality(source: .common, synchronised: true, errorBound: .zero)

  init(_ topology: Topology, seed: UInt64) throws {
    self.seed = seed
    keyring = SeededKeyring(seed: seed)
    var last: UInt32 = 0
    func port(_ number: UInt16) -> DataAddress { DataAddress(ipv4: 0x0A00_0000 | last, port: number) }
    var edgePorts: [String: EdgePorts] = [:]
    for edge in topology.operators.flatMap(\.edges) {
      last += 1
      edgePorts[edge.name] = EdgePorts(network: port(1), endpoint: port(2))
    }
    var customerPorts: [String: DataAddress] = [:]
    var enclaves: [Enclave] = []
    for customer in topology.customers {
      last += 1
      customerPorts[customer.name] = port(1)
      for enclave in customer.enclaves {
        last += 1
        enclaves.append(
          Enclave(
            name: enclave.name, customer: customer.name,
            receiptKey: try SigningKey(seed: Self.secret("receipt", enclave.name, seed), scheme: .simulated),
            agreementKey: try KeyAgreementKey(seed: Self.secret("agreement", enclave.name, seed)),
            applicationPort: port(1), networkPort: port(2)))
      }
    }
    self.edgePorts = edgePorts
    self.customerPorts = customerPorts
    self.enclaves = enclaves
  }

  /// What every actor that begins its `life`-th life is given. Only randomness differs from life to life.
  func inputs(life: UInt64) -> RuntimeInputs<SeededKeyring> {
    RuntimeInputs(
      keyring: keyring, entropy: { Self.secret("entropy \(life)", $0.description, seed) }, edgePorts: edgePorts,
      customerPorts: customerPorts,
      enclaves: Dictionary(uniqueKeysWithValues: enclaves.map { ($0.name, $0.identity) }),
      measurement: Self.measurement, bootCounts: [:], clock: Self.clock,
      sharesReading: false)
  }

  private static func secret(_ what: String, _ name: String, _ seed: UInt64) -> [UInt8] {
    Digest(label: "AJIT simulated \(what) of \(name)", seed.encoded).bytes
  }
}
