import Messages

/// Customers, their enclaves and what they order.
extension TopologyCheck {
  mutating func checkCustomer(_ customer: Topology.Customer, _ pointer: String) {
    let enclaves = Set(customer.enclaves.map(\.name))
    var escrows: Amount? = 0
    for (index, activation) in customer.activations.enumerated() {
      let activationPointer = "\(pointer)/activations/\(index)"
      require(
        enclaves.contains(activation.enclave), "\(activationPointer)/enclave",
        "\(customer.name) has no enclave '\(activation.enclave)'; add it to 'enclaves', or correct the name",
        basis: ["\(pointer)/enclaves"])
      checkTimes(activation, activationPointer)
      guard let ordered = ordered(by: activation, "\(activationPointer)/contract") else { continue }
      checkOrder(activation, ordered, activationPointer)
      checkTraffic(activation, ordered, activationPointer)
      if let expectation = activation.expectation {
        checkExpectation(expectation, activation, ordered, activationPointer)
      }
      checkBond(activation, ordered, activationPointer)
      let escrow = ordered.contract.escrow(epochs: activation.epochs)
      escrows = escrows.flatMap { sum in escrow.flatMap { $0 <= Amount.max - sum ? sum + $0 : nil } }
    }
    if escrows ?? .max > customer.credit {
      warning(
        "\(pointer)/credit",
        "the escrows of all activations are \(escrows.map(String.init) ?? "beyond counting"), more than the credit; "
          + "unless money comes back in between, later ones are refused",
        basis: ["\(pointer)/activations", "/operators"])
    }
  }

  /// What an activation orders, and where that stands in the topology.
  private struct Ordered {
    let networkOperator: Topology.Operator
    let operatorPointer: String
    let contract: Topology.Contract
    let pointer: String
  }

  private mutating func ordered(by activation: Topology.Activation, _ pointer: String) -> Ordered? {
    let reference = activation.contract
    guard let operatorIndex = topology.operators.firstIndex(where: { $0.name == reference.operatorName }) else {
      error(pointer, "no operator is called '\(reference.operatorName)'; correct the name", basis: ["/operators"])
      return nil
    }
    let networkOperator = topology.operators[operatorIndex]
    let operatorPointer = "/operators/\(operatorIndex)"
    guard let index = networkOperator.contracts.firstIndex(where: { $0.name == reference.contractName }) else {
      let names = networkOperator.contracts.map(\.name).joined(separator: ", ")
      let hint = names.isEmpty ? "add one" : "it has \(names)"
      error(
        pointer,
        "\(networkOperator.name) has no contract '\(reference.contractName)'; \(hint)",
        basis: ["\(operatorPointer)/contracts"])
      return nil
    }
    return Ordered(
      networkOperator: networkOperator, operatorPointer: operatorPointer, contract: networkOperator.contracts[index],
      pointer: "\(operatorPointer)/contracts/\(index)")
  }

  private mutating func checkTimes(_ activation: Topology.Activation, _ pointer: String) {
    require(activation.at <= ContractTerms.maximumSpan, "\(pointer)/at", "must be at most 366 days")
    require(
      .milliseconds(1) <= activation.startWithin && activation.startWithin <= ContractTerms.maximumSpan,
      "\(pointer)/startWithin", "must be 1ms to 366 days")
  }

  private mutating func checkOrder(_ activation: Topology.Activation, _ ordered: Ordered, _ pointer: String) {
    let context = ordered.contract.context
    let basis = ["\(ordered.pointer)/context"]
    require(
      context.minimumEpochs <= activation.epochs && activation.epochs <= context.maximumEpochs, "\(pointer)/epochs",
      "the contract is for \(context.minimumEpochs) to \(context.maximumEpochs) epochs; change one of them",
      basis: basis)
    let area = context.serviceArea.joined(separator: ", ")
    require(
      context.serviceArea.contains(activation.cell), "\(pointer)/cell",
      "cell '\(activation.cell)' is not in the contract's serviceArea: \(area)",
      basis: basis)
    let peers = context.allowedPeers.joined(separator: ", ")
    require(
      context.allowedPeers.contains(activation.peer), "\(pointer)/peer",
      "peer '\(activation.peer)' is not in the contract's allowedPeers: \(peers)",
      basis: basis)
    require(
      activation.startWithin > ordered.contract.deadlines.startLead, "\(pointer)/startWithin",
      "the contract starts slices startLead after their confirmation at the earliest; allow more time",
      basis: ["\(ordered.pointer)/deadlines"])
  }

  private mutating func checkTraffic(_ activation: Topology.Activation, _ ordered: Ordered, _ pointer: String) {
    let service = ordered.contract.service
    let basis = ["\(ordered.pointer)/service"]
    for (direction, maximum) in [(Direction.up, service.maximumUp), (.down, service.maximumDown)] {
      let traffic = activation.traffic(direction)
      let pointer = "\(pointer)/traffic/\(direction)"
      require(
        traffic.packetsPerSecond <= Traffic.maximumPacketsPerSecond, "\(pointer)/packetsPerSecond",
        "must be at most \(Traffic.maximumPacketsPerSecond)")
      require(
        traffic == .silent || Self.packetBytes.contains(traffic.payloadBytes), "\(pointer)/payloadBytes",
        "must be \(Self.packetBytes.lowerBound) to \(Self.packetBytes.upperBound), packet header included")
      guard traffic.packetsPerSecond <= Traffic.maximumPacketsPerSecond,
        traffic.payloadBytes <= Self.packetBytes.upperBound
      else { continue }
      if traffic.payloadBytes > service.maximumPacketBytes {
        warning(
          "\(pointer)/payloadBytes", "above the contract's maximumPacketBytes: the edge drops every packet",
          basis: basis)
      }
      if traffic.bitsPerSecond > maximum {
        warning(
          pointer,
          "\(traffic.bitsPerSecond) bit/s are above the contract's maximum of \(maximum): the edge drops the rest",
          basis: basis)
      }
    }
  }

  private mutating func checkExpectation(
    _ expectation: Topology.Expectation, _ activation: Topology.Activation, _ ordered: Ordered, _ pointer: String
  ) {
    let pointer = "\(pointer)/expect"
    let names = ordered.contract.rules.map(\.name)
    var reported: Set<String> = []
    for expected in expectation.rules where !names.contains(expected.rule) && reported.insert(expected.rule).inserted {
      let known = names.isEmpty ? "none" : names.joined(separator: ", ")
      error(
        "\(pointer)/rules", "the contract has no rule '\(expected.rule)'; it has \(known)",
        basis: ["\(ordered.pointer)/rules"])
    }
    let least = expectation.epochs.reduce(UInt64(0)) { $0.addingReportingOverflow($1.count.least).partialValue }
    require(
      least <= activation.epochs, "\(pointer)/epochs", "more epochs are expected than the \(activation.epochs) booked")
    if expectation.state == .nullified, expectation.settlement != nil {
      error("\(pointer)/settlement", "a NULLIFIED activation is not settled; remove it")
    }
  }

  private mutating func checkBond(_ activation: Topology.Activation, _ ordered: Ordered, _ pointer: String) {
    let credit = ordered.networkOperator.credit
    guard let bond = ordered.contract.bond(epochs: activation.epochs), bond > credit else { return }
    warning(
      "\(pointer)/contract",
      "the bond of \(bond) is more than \(ordered.networkOperator.name)'s credit of \(credit): it cannot confirm",
      basis: ["\(ordered.operatorPointer)/credit", ordered.pointer])
  }
}
