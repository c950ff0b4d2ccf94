import Messages

/// Flows between customers, and what happens to an activation while it runs.
extension TopologyCheck {
  /// A customer as the peer is another one, and has agreed.
  mutating func checkPeer(
    of activation: Topology.Activation, by customer: Topology.Customer, _ pointer: String
  ) {
    guard activation.peer != customer.name else {
      return error("\(pointer)/peer", "the other end is another customer's; name that customer")
    }
    guard customerNames.contains(activation.peer), topology.acceptance(of: activation) == nil else { return }
    error(
      "\(pointer)/peer",
      "customer '\(activation.peer)' does not accept '\(activation.name)'; add it to its 'accepts'",
      basis: ["/customers"])
  }

  mutating func checkAcceptances(of customer: Topology.Customer, _ pointer: String) {
    let enclaves = Set(customer.enclaves.map(\.name))
    var accepted: Set<String> = []
    for (index, acceptance) in customer.accepts.enumerated() {
      let pointer = "\(pointer)/accepts/\(index)"
      require(
        accepted.insert(acceptance.activation).inserted, "\(pointer)/activation",
        "'\(acceptance.activation)' is accepted already; remove one")
      require(
        enclaves.contains(acceptance.enclave), "\(pointer)/enclave",
        "\(customer.name) has no enclave '\(acceptance.enclave)'; add it to 'enclaves', or correct the name",
        basis: ["/customers"])
      guard let activation = topology.activation(named: acceptance.activation)?.activation,
        activation.peer == customer.name
      else {
        error(
          "\(pointer)/activation",
          "no activation '\(acceptance.activation)' has \(customer.name) as its peer; correct one of them",
          basis: ["/customers"])
        continue
      }
      require(
        acceptance.enclave != activation.enclave, "\(pointer)/enclave",
        "'\(acceptance.enclave)' is the near end of '\(activation.name)' already; name another enclave")
      checkFarEnd(acceptance, activation, pointer)
    }
  }

  private mutating func checkFarEnd(
    _ acceptance: Topology.Acceptance, _ activation: Topology.Activation, _ pointer: String
  ) {
    // Of an order that names no contract, only what runs can tell.
    guard let reference = activation.contract, let contract = topology.contract(reference),
      let number = topology.operators.firstIndex(where: { $0.name == reference.operatorName }),
      let index = topology.operators[number].contracts.firstIndex(where: { $0.name == reference.contractName })
    else { return }
    let ordered = Ordered(
      networkOperator: topology.operators[number], operatorPointer: "/operators/\(number)", contract: contract,
      pointer: "/operators/\(number)/contracts/\(index)", epochs: activation.epochs)
    checkCell(acceptance.cell, contract, "\(pointer)/cell", basis: ordered.pointer)
    checkMoves(acceptance.moves, from: acceptance.cell, in: activation, ordered, pointer)
    checkStream(acceptance.traffic, .down, ordered, "\(pointer)/traffic")
  }

  // MARK: While it runs

  mutating func checkMoves(
    _ moves: [Topology.Move], from start: String, in activation: Topology.Activation, _ ordered: Ordered,
    _ pointer: String
  ) {
    require(
      moves.count <= ActivationLimits.handovers, "\(pointer)/moves",
      "an activation has at most \(ActivationLimits.handovers) handovers; remove some")
    let booked = activation.amendments.reduce(ordered.epochs) { $0.addingReportingOverflow($1.epochs).partialValue }
    var last = Topology.Move(epoch: 0, cell: start)
    for (index, move) in moves.enumerated() {
      let pointer = "\(pointer)/moves/\(index)"
      require(
        last.epoch < move.epoch && move.epoch < booked, "\(pointer)/atEpoch",
        "moves are inside the activation's epochs, from epoch 1 on, one after the other")
      require(move.cell != last.cell, "\(pointer)/cell", "it is in '\(move.cell)' already; name another cell")
      checkCell(move.cell, ordered.contract, "\(pointer)/cell", basis: ordered.pointer)
      last = move
    }
  }

  mutating func checkAmendments(_ activation: Topology.Activation, _ ordered: Ordered, _ pointer: String) {
    var end = ordered.epochs
    for amendment in activation.amendments {
      let key: String
      switch amendment.change {
      case .extend: key = "\(pointer)/extend"
      case .renegotiate(let reference):
        key = "\(pointer)/renegotiate"
        if let other = self.ordered(reference, epochs: amendment.epochs, "\(key)/contract") {
          checkRenegotiation(amendment, activation, ordered, to: other, key)
        }
      }
      require(amendment.epochs >= 1, "\(key)/epochs", "must be at least 1")
      require(
        amendment.epoch < end, "\(key)/atEpoch", "the activation is over by then; propose it before epoch \(end)")
      switch amendment.change {
      case .extend: end = end.addingReportingOverflow(amendment.epochs).partialValue
      case .renegotiate: end = amendment.epoch.addingReportingOverflow(amendment.epochs).partialValue
      }
    }
  }

  private mutating func checkRenegotiation(
    _ amendment: Topology.Amendment, _ activation: Topology.Activation, _ ordered: Ordered, to other: Ordered,
    _ pointer: String
  ) {
    require(
      other.networkOperator.name == ordered.networkOperator.name, "\(pointer)/contract",
      "an activation stays with \(ordered.networkOperator.name); name a contract of that operator",
      basis: [ordered.pointer])
    require(
      other.contract.metering == ordered.contract.metering && other.contract.deadlines == ordered.contract.deadlines,
      "\(pointer)/contract", "the other contract's metering and deadlines must be those of the first one",
      basis: [ordered.pointer, other.pointer])
    checkCell(activation.cell, other.contract, "\(pointer)/contract", basis: other.pointer)
    require(
      other.contract.context.allowedPeers.contains(activation.peer), "\(pointer)/contract",
      "the other contract does not allow the peer '\(activation.peer)'", basis: [other.pointer])
  }
}
