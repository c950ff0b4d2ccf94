import Messages

/// What regulators are told to order.
extension TopologyCheck {
  mutating func checkOversight() {
    require(
      topology.network.regulatorThreshold > 0, "/network/regulatorThreshold",
      "no regulator at all orders nothing; 1 or more")
    require(
      topology.network.maximumFreeze > .zero && topology.network.maximumFreeze <= ContractTerms.maximumSpan,
      "/network/maximumFreeze", "must be above zero and at most 366 days")
    for (index, regulator) in topology.regulators.enumerated() {
      for (number, measure) in regulator.measures.enumerated() {
        check(measure, "/regulators/\(index)/measures/\(number)")
      }
    }
  }

  private mutating func check(_ measure: Topology.Measure, _ pointer: String) {
    require(
      !measure.reason.isEmpty && measure.reason.utf8.count <= RegulatorOrder.maximumReasonBytes, "\(pointer)/reason",
      "a reason is put on record: 1 to \(RegulatorOrder.maximumReasonBytes) bytes")
    require(measure.at >= .zero, "\(pointer)/at", "before the network starts; leave it out")
    if measure.kind.isOfContract {
      require(
        measure.contract.map { topology.contract($0) != nil } ?? false, "\(pointer)/contract",
        "\(measure.kind.rawValue) is about a contract of this file, as operator/contract; name one")
      require(measure.customer == nil, "\(pointer)/customer", "it is about a contract; leave it out")
    } else {
      let isKnown = topology.customers.contains { $0.name == measure.customer && !$0.activations.isEmpty }
      require(
        isKnown, "\(pointer)/customer",
        "\(measure.kind.rawValue) is about a customer's first activation; name a customer that orders one")
      require(measure.contract == nil, "\(pointer)/contract", "it is about an activation; leave it out")
    }
    let isFreeze = measure.kind == .freezeSettlement
    require(
      isFreeze == (measure.length != nil), "\(pointer)/for",
      isFreeze ? "say how long the settlement is frozen" : "only a freeze has a length; leave it out")
  }
}
