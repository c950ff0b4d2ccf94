import Messages

/// Customers, their enclaves and what they order.
extension TopologyCheck {
  mutating func checkCustomer(_ customer: Topology.Customer, _ pointer: String) {
    let enclaves = Set(customer.enclaves.map(\.name))
    var escrows: Amount? = 0
    for (index, activation) in customer.activations.enumerated() {
      let pointer = "\(pointer)/activations/\(index)"
      require(
        enclaves.contains(activation.enclave), "\(pointer)/enclave",
        "\(customer.name) has no enclave '\(activation.enclave)'; add it to 'enclaves', or correct the name")
      checkTimes(activation, pointer)
      guard let contract = contract(of: activation, "\(pointer)/contract") else { continue }
      checkOrder(activation, contract, pointer)
      checkTraffic(activation, contract, pointer)
      if let expectation = activation.expectation { checkExpectation(expectation, contract, activation, pointer) }
      if let escrow = contract.escrow(epochs: activation.epochs), let sum = escrows, sum <= Amount.max - escrow {
        escrows = sum + escrow
      } else {
        escrows = nil
      }
      checkBond(activation, contract, pointer)
    }
    if escrows ?? .max > customer.credit {
      warning(
        "\(pointer)/credit",
        "the escrows of all activations are \(escrows.map(String.init) ?? "beyond counting"), more than the credit; "
          + "unless money comes back in between, later ones are refused")
    }
  }

  private mutating func contract(of activation: Topology.Activation, _ pointer: String) -> Topology.Contract? {
    let reference = activation.contract
    guard let networkOperator = topology.networkOperator(named: reference.operatorName) else {
      error(pointer, "no operator is called '\(reference.operatorName)'; correct the name")
      return nil
    }
    guard let contract = topology.contract(reference) else {
      let names = networkOperator.contracts.map(\.name).joined(separator: ", ")
      error(
        pointer,
        "\(networkOperator.name) has no contract '\(reference.contractName)'; \(names.isEmpty ? "add one" : "it has \(names)")")
      return nil
    }
    return contract
  }

  private mutating func checkTimes(_ activation: Topology.Activation, _ pointer: String) {
    require(activation.at <= ContractTerms.maximumSpan, "\(pointer)/at", "must be at most 366 days")
    require(
      .milliseconds(1) <= activation.startWithin && activation.startWithin <= ContractTerms.maximumSpan,
      "\(pointer)/startWithin", "must be 1ms to 366 days")
  }

  private mutating func checkOrder(
    _ activation: Topology.Activation, _ contract: Topology.Contract, _ pointer: String
  ) {
    let context = contract.context
    require(
      context.minimumEpochs <= activation.epochs && activation.epochs <= context.maximumEpochs, "\(pointer)/epochs",
      "the contract is for \(context.minimumEpochs) to \(context.maximumEpochs) epochs; change one of them")
    require(
      context.serviceArea.contains(activation.cell), "\(pointer)/cell",
      "cell '\(activation.cell)' is not in the contract's serviceArea: \(context.serviceArea.joined(separator: ", "))")
    require(
      context.allowedPeers.contains(activation.peer), "\(pointer)/peer",
      "peer '\(activation.peer)' is not in the contract's allowedPeers: \(context.allowedPeers.joined(separator: ", "))")
    require(
      activation.startWithin > contract.deadlines.startLead, "\(pointer)/startWithin",
      "the contract starts slices startLead after their confirmation at the earliest; allow more time")
  }

  private mutating func checkTraffic(
    _ activation: Topology.Activation, _ contract: Topology.Contract, _ pointer: String
  ) {
    for (direction, maximum) in [(Direction.up, contract.service.maximumUp), (.down, contract.service.maximumDown)] {
      let traffic = activation.traffic(direction)
      let pointer = "\(pointer)/traffic/\(direction)"
      require(
        traffic.packetsPerSecond <= Topology.Traffic.maximumPacketsPerSecond, "\(pointer)/packetsPerSecond",
        "must be at most \(Topology.Traffic.maximumPacketsPerSecond)")
      require(
        Self.packetBytes.contains(traffic.payloadBytes), "\(pointer)/payloadBytes",
        "must be \(Self.packetBytes.lowerBound) to \(Self.packetBytes.upperBound), packet header included")
      guard traffic.packetsPerSecond <= Topology.Traffic.maximumPacketsPerSecond,
        traffic.payloadBytes <= Self.packetBytes.upperBound
      else { continue }
      if traffic.payloadBytes > contract.service.maximumPacketBytes {
        warning("\(pointer)/payloadBytes", "above the contract's maximumPacketBytes: the edge drops every packet")
      }
      if traffic.bitsPerSecond > maximum {
        warning(
          pointer, "\(traffic.bitsPerSecond) bit/s are above the contract's maximum of \(maximum): the edge drops the rest")
      }
    }
  }

  private mutating func checkExpectation(
    _ expectation: Topology.Expectation, _ contract: Topology.Contract, _ activation: Topology.Activation,
    _ pointer: String
  ) {
    let pointer = "\(pointer)/expect"
    let names = Set(contract.rules.map(\.name))
    var reported: Set<String> = []
    for expected in expectation.rules where !names.contains(expected.rule) && reported.insert(expected.rule).inserted {
      error(
        "\(pointer)/rules",
        "the contract has no rule '\(expected.rule)'; it has \(contract.rules.map(\.name).joined(separator: ", "))")
    }
    let least = expectation.epochs.reduce(UInt64(0)) { sum, expected in sum.addingReportingOverflow(expected.count.least).0 }
    require(
      least <= activation.epochs, "\(pointer)/epochs", "more epochs are expected than the \(activation.epochs) booked")
    if expectation.state == .nullified, expectation.settlement != nil {
      error("\(pointer)/settlement", "a NULLIFIED activation is not settled; remove it")
    }
  }

  private mutating func checkBond(
    _ activation: Topology.Activation, _ contract: Topology.Contract, _ pointer: String
  ) {
    guard let networkOperator = topology.networkOperator(named: activation.contract.operatorName),
      let bond = contract.bond(epochs: activation.epochs), bond > networkOperator.credit
    else { return }
    warning(
      "\(pointer)/contract",
      "the bond of \(bond) is more than \(networkOperator.name)'s credit of \(networkOperator.credit): it cannot confirm")
  }
}
