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
      guard let ordered = ordered(by: activation, activationPointer) else { continue }
      checkOrder(activation, ordered, activationPointer)
      checkPeer(of: activation, by: customer, activationPointer)
      checkMoves(
        activation.moves, from: activation.cell, in: activation, ordered, activationPointer)
      checkAmendments(activation, ordered, activationPointer)
      checkTraffic(activation, ordered, activationPointer)
      if let expectation = activation.expectation {
        checkExpectation(expectation, activation, ordered, activationPointer)
      }
      checkBond(activation, ordered, activationPointer)
      let escrow = ordered.contract.escrow(epochs: ordered.epochs)
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

  // MARK: What is ordered

  /// What an activation orders, and where that stands in the topology.
  struct Ordered {
    let networkOperator: Topology.Operator
    let operatorPointer: String
    let contract: Topology.Contract
    let pointer: String
    /// Booked by the activation.
    let epochs: UInt64
  }

  private mutating func ordered(by activation: Topology.Activation, _ pointer: String) -> Ordered? {
    switch activation.offer {
    case .contract(let reference): return ordered(reference, epochs: activation.epochs, "\(pointer)/contract")
    case .cheapest(let wish): return cheapest(wish, for: activation, "\(pointer)/offer")
    }
  }

  mutating func ordered(_ reference: Topology.ContractReference, epochs: UInt64, _ pointer: String) -> Ordered? {
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
      pointer: "\(operatorPointer)/contracts/\(index)", epochs: epochs)
  }

  /// What the customer would buy if every offer stood on the ledger; checks go by it.
  private mutating func cheapest(
    _ wish: Topology.OfferWish, for activation: Topology.Activation, _ pointer: String
  ) -> Ordered? {
    var best: (ordered: Ordered, escrow: Amount)?
    for (number, networkOperator) in topology.operators.enumerated() {
      for (index, contract) in networkOperator.contracts.enumerated() where contract.fits(wish, activation) {
        let epochs = activation.epochs(under: contract)
        guard let escrow = contract.escrow(epochs: epochs), escrow <= wish.maximumPrice ?? .max,
          escrow < best?.escrow ?? .max
        else { continue }
        let ordered = Ordered(
          networkOperator: networkOperator, operatorPointer: "/operators/\(number)", contract: contract,
          pointer: "/operators/\(number)/contracts/\(index)", epochs: epochs)
        best = (ordered, escrow)
      }
    }
    if best == nil {
      error(
        pointer, "no operator offers this at cell, peer, length and price of the order; ask for less, or add an offer",
        basis: ["/operators"])
    }
    return best?.ordered
  }

  private mutating func checkTimes(_ activation: Topology.Activation, _ pointer: String) {
    require(activation.at <= ContractTerms.maximumSpan, "\(pointer)/at", "must be at most 366 days")
    require(
      .milliseconds(1) <= activation.startWithin && activation.startWithin <= ContractTerms.maximumSpan,
      "\(pointer)/startWithin", "must be 1ms to 366 days")
    require(
      activation.startIn <= activation.startWithin, "\(pointer)/startIn",
      "the earliest start is after the latest, startWithin; change one of them")
  }

  private mutating func checkOrder(_ activation: Topology.Activation, _ ordered: Ordered, _ pointer: String) {
    let context = ordered.contract.context
    let basis = ["\(ordered.pointer)/context"]
    require(
      context.minimumEpochs <= ordered.epochs && ordered.epochs <= context.maximumEpochs, "\(pointer)/epochs",
      "the contract is for \(context.minimumEpochs) to \(context.maximumEpochs) epochs; change one of them",
      basis: basis)
    require(
      activation.terminateAfter ?? 0 < ordered.epochs, "\(pointer)/terminateAfter",
      "the activation is over by then; give it up earlier, or leave it out", basis: ["\(pointer)/epochs"])
    checkCell(activation.cell, ordered.contract, "\(pointer)/cell", basis: ordered.pointer)
    let peers = context.allowedPeers.joined(separator: ", ")
    require(
      context.allowedPeers.contains(activation.peer), "\(pointer)/peer",
      "peer '\(activation.peer)' is not in the contract's allowedPeers: \(peers)",
      basis: basis)
    require(
      activation.startWithin > ordered.contract.deadlines.startLead, "\(pointer)/startWithin",
      "the contract starts slices startLead after their confirmation at the earliest; allow more time",
      basis: ["\(ordered.pointer)/deadlines"])
    if !ordered.contract.hasTime(for: activation) {
      warning(
        "\(pointer)/at", "the whole order lies in none of the contract's serviceTimes if it is placed at that time",
        basis: basis)
    }
  }

  mutating func checkCell(_ cell: String, _ contract: Topology.Contract, _ pointer: String, basis: String) {
    let area = contract.context.serviceArea
    require(
      area.contains(cell), pointer,
      "cell '\(cell)' is not in the contract's serviceArea: \(area.joined(separator: ", "))",
      basis: ["\(basis)/context"])
  }

  private mutating func checkBond(_ activation: Topology.Activation, _ ordered: Ordered, _ pointer: String) {
    let credit = ordered.networkOperator.credit
    guard let bond = ordered.contract.bond(epochs: ordered.epochs), bond > credit else { return }
    warning(
      "\(pointer)/contract",
      "the bond of \(bond) is more than \(ordered.networkOperator.name)'s credit of \(credit): it cannot confirm",
      basis: ["\(ordered.operatorPointer)/credit", ordered.pointer])
  }
}

extension Topology.Contract {
  fileprivate func fits(_ wish: Topology.OfferWish, _ activation: Topology.Activation) -> Bool {
    let cells = [activation.cell] + activation.moves.map(\.cell)
    return wish.service ?? service.profile == service.profile
      && wish.up <= service.guaranteedUp && wish.down <= service.guaranteedDown
      && cells.allSatisfy(context.serviceArea.contains) && context.allowedPeers.contains(activation.peer)
      && context.minimumEpochs <= activation.epochs(under: self)
      && activation.epochs(under: self) <= context.maximumEpochs
  }

  /// Whether one service time holds the order from its earliest or a later possible start on; offsets of both count
  /// from about the same moment.
  fileprivate func hasTime(for activation: Topology.Activation) -> Bool {
    let (length, tooLong) = metering.epoch.nanoseconds.multipliedReportingOverflow(
      by: Int64(clamping: activation.epochs(under: self)))
    let most = ContractTerms.maximumSpan
    guard !context.serviceTimes.isEmpty else { return true }
    guard !tooLong, activation.at <= most, activation.startWithin <= most, length <= most.nanoseconds else {
      return false
    }
    return context.serviceTimes.contains { window in
      let start = max(activation.at + activation.startIn, window.from)
      return start <= activation.at + activation.startWithin && start + Span(nanoseconds: length) <= window.to
    }
  }
}
