import Messages

/// Traffic and expectations of an order.
extension TopologyCheck {
  mutating func checkTraffic(_ activation: Topology.Activation, _ ordered: Ordered, _ pointer: String) {
    for direction in Direction.allCases {
      checkStream(activation.traffic(direction), direction, ordered, "\(pointer)/traffic/\(direction)")
    }
    checkStream(activation.stray, nil, ordered, "\(pointer)/traffic/stray")
    require(
      activation.down == .silent || !customerNames.contains(activation.peer), "\(pointer)/traffic/down",
      "what '\(activation.peer)' sends is said in its own 'accepts'; move it there", basis: ["/customers"])
  }

  /// - Parameter direction: nil for what is dropped anyway.
  mutating func checkStream(_ traffic: Traffic, _ direction: Direction?, _ ordered: Ordered, _ pointer: String) {
    let service = ordered.contract.service
    let basis = ["\(ordered.pointer)/service"]
    require(
      traffic.packetsPerSecond <= Traffic.maximumPacketsPerSecond, "\(pointer)/packetsPerSecond",
      "must be at most \(Traffic.maximumPacketsPerSecond)")
    require(
      traffic == .silent || Self.packetBytes.contains(traffic.payloadBytes), "\(pointer)/payloadBytes",
      "must be \(Self.packetBytes.lowerBound) to \(Self.packetBytes.upperBound), packet header included")
    guard let direction, traffic.packetsPerSecond <= Traffic.maximumPacketsPerSecond,
      traffic.payloadBytes <= Self.packetBytes.upperBound
    else { return }
    if traffic.payloadBytes > service.maximumPacketBytes {
      warning(
        "\(pointer)/payloadBytes", "above the contract's maximumPacketBytes: the edge drops every packet", basis: basis)
    }
    let maximum = direction == .up ? service.maximumUp : service.maximumDown
    if traffic.bitsPerSecond > maximum {
      warning(
        pointer,
        "\(traffic.bitsPerSecond) bit/s are above the contract's maximum of \(maximum): the edge drops the rest",
        basis: basis)
    }
  }

  mutating func checkExpectation(
    _ expectation: Topology.Expectation, _ activation: Topology.Activation, _ ordered: Ordered, _ pointer: String
  ) {
    let pointer = "\(pointer)/expect"
    let contracts = [ordered.contract] + activation.amendments.compactMap(renegotiated)
    let names = contracts.flatMap { $0.rules.map(\.name) }
    var reported: Set<String> = []
    for expected in expectation.rules where !names.contains(expected.rule) && reported.insert(expected.rule).inserted {
      let known = names.isEmpty ? "none" : names.joined(separator: ", ")
      error(
        "\(pointer)/rules", "the contract has no rule '\(expected.rule)'; it has \(known)",
        basis: ["\(ordered.pointer)/rules", "/operators"])
    }
    let booked = activation.amendments.reduce(ordered.epochs) { $0.addingReportingOverflow($1.epochs).partialValue }
    let least = expectation.epochs.reduce(UInt64(0)) { $0.addingReportingOverflow($1.count.least).partialValue }
    require(least <= booked, "\(pointer)/epochs", "more epochs are expected than the \(booked) booked")
    if let contract = expectation.contract, topology.contract(contract) == nil {
      error("\(pointer)/contract", "there is no contract '\(contract)'; correct the name", basis: ["/operators"])
    }
    if expectation.state == .nullified, expectation.settlement != nil {
      error("\(pointer)/settlement", "a NULLIFIED activation is not settled; remove it")
    }
  }

  private func renegotiated(_ amendment: Topology.Amendment) -> Topology.Contract? {
    if case .renegotiate(let reference) = amendment.change { topology.contract(reference) } else { nil }
  }
}
