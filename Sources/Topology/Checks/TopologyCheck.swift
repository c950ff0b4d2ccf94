import Messages

/// Checks a whole topology: names, references, ranges, and whether what is offered can exist. Collects findings; the
/// sections are in the files beside this one.
struct TopologyCheck {
  let topology: Topology
  let customerNames: Set<String>
  private(set) var findings: [Finding] = []

  init(topology: Topology) {
    self.topology = topology
    customerNames = Set(topology.customers.map(\.name))
  }

  mutating func run() {
    checkMembers()
    checkNetwork()
    checkOversight()
    checkUniqueNames()
    for (index, networkOperator) in topology.operators.enumerated() {
      let pointer = "/operators/\(index)"
      let before = findings.count
      checkSubstrate(networkOperator, pointer)
      checkEdges(networkOperator, pointer)
      checkMaintenance(networkOperator, pointer)
      let isSound = findings.count == before
      for (index, contract) in networkOperator.contracts.enumerated() {
        checkContract(contract, "\(pointer)/contracts/\(index)")
        checkFeasibility(of: contract, at: networkOperator, pointer, contract: index, paths: isSound)
      }
    }
    let customers = topology.customers.count
    require(
      customers <= Self.maximumCustomers, "/customers",
      "\(customers) customers are more than \(Self.maximumCustomers); remove some")
    for (index, customer) in topology.customers.enumerated() {
      checkCustomer(customer, "/customers/\(index)")
      checkAcceptances(of: customer, "/customers/\(index)")
    }
    checkPlacement()
    checkBehaviours()
    checkFaults()
  }

  /// Each brings a platform key, and the genesis has room for so many.
  static let maximumCustomers = 1024

  // MARK: Reporting

  mutating func error(_ pointer: String, _ message: String, basis: [String] = []) {
    findings.append(Finding(pointer, .error, message, basis: basis))
  }

  mutating func warning(_ pointer: String, _ message: String, basis: [String] = []) {
    findings.append(Finding(pointer, .warning, message, basis: basis))
  }

  mutating func require(
    _ condition: Bool, _ pointer: String, _ message: @autoclosure () -> String, basis: [String] = []
  ) {
    if !condition { error(pointer, message(), basis: basis) }
  }

  mutating func checkName(_ name: String, _ pointer: String) {
    require(
      ActorAddress.isLegal(name: name), pointer,
      "a name has 1 to \(ActorAddress.maximumNameBytes) of a–z 0–9 - _ . and not '\(name)'")
  }

  /// Reports every name that stands in the list before.
  mutating func checkUnique(_ names: [(name: String, pointer: String)], _ what: String) {
    var seen: Set<String> = []
    for (name, pointer) in names where !seen.insert(name).inserted {
      error(pointer, "\(what) '\(name)' exists already; choose another name")
    }
  }

  // MARK: Who takes part

  private mutating func checkMembers() {
    checkName(topology.name, "/name")
    require(!topology.operators.isEmpty, "/operators", "a topology has at least one operator; add one")
    require(
      topology.operators.isEmpty || topology.operators.contains { !$0.observes }, "/operators",
      "all operators observe; at least one has to vote from the start")
    let members = topology.memberCount
    let operators = topology.operators.count { !$0.observes }
    require(
      members <= Genesis.maximumMembers, "/operators",
      "\(members) members are more than \(Genesis.maximumMembers); remove operators or regulators")
    // Only operators lead, and the ledger must go on without the regulators (consensus.md).
    let quorum = Topology.quorum(members: members)
    require(
      operators == 0 || operators >= quorum, "/regulators",
      """
      a quorum is \(quorum) of \(members) members, and the operators alone (\(operators)) cannot make it; add \
      operators, or remove regulators
      """,
      basis: ["/operators"])
    var total: Amount = 0
    for (index, credit) in topology.operators.map(\.credit).enumerated() {
      addCredit(credit, to: &total, "/operators/\(index)/credit")
    }
    for (index, credit) in topology.customers.map(\.credit).enumerated() {
      addCredit(credit, to: &total, "/customers/\(index)/credit")
    }
  }

  /// All the money there is fits 63 bits, so that no sum of balances anywhere overflows.
  private mutating func addCredit(_ credit: Amount, to total: inout Amount, _ pointer: String) {
    let (sum, overflow) = total.addingReportingOverflow(credit)
    guard !overflow, sum <= Amount(Int64.max) else {
      error(pointer, "all credits together are above \(Int64.max); give less")
      return
    }
    total = sum
  }

  /// Names that are addresses on the bus or rows of the ledger are unique in the whole topology.
  private mutating func checkUniqueNames() {
    var organisations: [(name: String, pointer: String)] = []
    var edges: [(name: String, pointer: String)] = []
    var enclaves: [(name: String, pointer: String)] = []
    var activations: [(name: String, pointer: String)] = []
    for (index, networkOperator) in topology.operators.enumerated() {
      let pointer = "/operators/\(index)"
      organisations.append((networkOperator.name, "\(pointer)/name"))
      for (index, edge) in networkOperator.edges.enumerated() {
        edges.append((edge.name, "\(pointer)/edges/\(index)/name"))
      }
      checkUnique(
        networkOperator.contracts.enumerated().map { ($1.name, "\(pointer)/contracts/\($0)/name") },
        "contract of \(networkOperator.name)")
    }
    for (index, regulator) in topology.regulators.enumerated() {
      organisations.append((regulator.name, "/regulators/\(index)/name"))
    }
    for (index, customer) in topology.customers.enumerated() {
      let pointer = "/customers/\(index)"
      organisations.append((customer.name, "\(pointer)/name"))
      enclaves += customer.enclaves.enumerated().map { ($1.name, "\(pointer)/enclaves/\($0)/name") }
      activations += customer.activations.enumerated().map { ($1.name, "\(pointer)/activations/\($0)/name") }
    }
    for (index, networkOperator) in topology.operators.enumerated()
    where networkOperator.name.utf8.count > Topology.Operator.maximumNameBytes {
      let most = Topology.Operator.maximumNameBytes
      error("/operators/\(index)/name", "an operator's name has at most \(most) bytes, so that its managers have names")
    }
    for (name, pointer) in organisations + edges + enclaves + activations { checkName(name, pointer) }
    checkUnique(organisations, "organisation")
    checkUnique(edges, "edge")
    checkUnique(enclaves, "enclave")
    checkUnique(activations, "activation")
  }

  // MARK: Network parameters

  private mutating func checkNetwork() {
    let network = topology.network
    func at(_ key: String) -> String { "/network/\(key)" }
    let durations: [(String, Span)] = [
      ("heartbeat", network.heartbeat), ("timeoutFloor", network.timeoutFloor), ("timeoutCap", network.timeoutCap),
      ("maximumBehind", network.maximumBehind), ("maximumAhead", network.maximumAhead),
      ("attestationLifetime", network.attestationLifetime),
    ]
    for (key, duration) in durations {
      require(duration >= .milliseconds(1) && duration <= .seconds(31_536_000), at(key), "must be 1ms to one year")
    }
    require(
      network.timeoutFloor <= network.timeoutCap, at("timeoutCap"), "must not be below timeoutFloor; raise it")
    let counts: [(String, UInt64, UInt64)] = [
      ("blockTransactions", network.blockTransactions, UInt64(BlockBody.maximumTransactions)),
      ("senderQuota", network.senderQuota, network.blockTransactions),
      ("expiriesPerBlock", network.expiriesPerBlock, 65_536),
      ("attestationNonceAge", network.attestationNonceAge, 65_536),
    ]
    for (key, count, most) in counts {
      require((1...max(1, most)).contains(count), at(key), "must be 1 to \(most)")
    }
  }
}
