import Messages

/// `activations:` of a customer.
extension TopologyReading {
  /// An activation, and the cells of which each copy of its customer gets one.
  struct Order {
    var activation: Topology.Activation
    var cells: [String]
  }

  func order(_ node: SourceNode) -> Order? {
    guard var fields = MappingReader(node, "an activation", log: log) else { return nil }
    let traffic = fields.require("traffic").flatMap(traffic) ?? (up: .silent, down: .silent, stray: .silent)
    let name = fields.required("name", .text, else: "")
    let (offer, epochs) = offerChoice(&fields)
    let cells = cells(&fields)
    var activation = Topology.Activation(
      name: name, offer: offer, at: fields.optional("at", .duration, default: .zero),
      epochs: epochs, cell: cells[0],
      peer: fields.required("peer", .text, else: ""),
      enclave: fields.required("enclave", .text, else: ""),
      startIn: fields.optional("startIn", .duration, default: .zero),
      startWithin: fields.optional("startWithin", .duration, default: .seconds(5)), up: traffic.up, down: traffic.down,
      stray: traffic.stray, moves: fields.list("moves", move),
      terminateAfter: fields.optional("terminateAfter", .count))
    // In order of time; of two at one time, the extension first.
    activation.amendments = [
      fields.take("extend").flatMap(prolongation), fields.take("renegotiate").flatMap(renegotiation),
    ]
    .compactMap { $0 }.sorted { $0.epoch < $1.epoch }
    activation.expectation = fields.take("expect").flatMap(expectation)
    fields.finish()
    return Order(activation: activation, cells: cells)
  }

  /// Either `contract` and `epochs`, or `offer`: what a contract must have to be chosen.
  private func offerChoice(_ fields: inout MappingReader) -> (Topology.OfferChoice, epochs: UInt64) {
    let nowhere = Topology.ContractReference(operatorName: "", contractName: "")
    guard let wish = fields.take("offer") else {
      let contract = fields.required("contract", .contractReference, else: nowhere)
      return (.contract(contract), fields.required("epochs", .count, else: 1))
    }
    for node in [fields.take("contract"), fields.take("epochs")].compactMap({ $0 }) {
      log.error(
        at: node.position, unreadable: node.pointer,
        "an order has either 'contract' and 'epochs' or an 'offer' with its 'duration'; keep one form")
    }
    return (.cheapest(offerWish(wish) ?? Topology.OfferWish(duration: .seconds(1))), epochs: 0)
  }

  private func offerWish(_ node: SourceNode) -> Topology.OfferWish? {
    guard var fields = MappingReader(node, "what an offer must have", log: log) else { return nil }
    let guaranteed = fields.take("guaranteed").flatMap(rates) ?? (up: 0, down: 0)
    let wish = Topology.OfferWish(
      service: fields.optional("service", .text), up: guaranteed.up, down: guaranteed.down,
      duration: fields.required("duration", .duration, else: .seconds(1)),
      maximumPrice: fields.optional("maximumPrice", .amount))
    fields.finish()
    return wish
  }

  /// `cell`, or in a population `cells`; never empty.
  private func cells(_ fields: inout MappingReader) -> [String] {
    guard let node = fields.take("cells") else { return [fields.required("cell", .text, else: "")] }
    if let cell = fields.take("cell") {
      log.error(
        at: cell.position, unreadable: cell.pointer,
        "either one 'cell', or 'cells' for the copies of the customer in turn; keep one")
    }
    let cells = fields.requiredList("cells", of: .text)
    if cells.isEmpty { log.error(at: node.position, unreadable: node.pointer, "name at least one cell") }
    return cells.isEmpty ? [""] : cells
  }

  private func traffic(_ node: SourceNode) -> (up: Traffic, down: Traffic, stray: Traffic)? {
    guard var fields = MappingReader(node, "traffic up, down and stray", log: log) else { return nil }
    let traffic = (
      up: fields.take("up").flatMap(stream) ?? .silent, down: fields.take("down").flatMap(stream) ?? .silent,
      stray: fields.take("stray").flatMap(stream) ?? .silent
    )
    fields.finish()
    return traffic
  }

  func stream(_ node: SourceNode) -> Traffic? {
    guard var fields = MappingReader(node, "a packet stream", log: log) else { return nil }
    let traffic = Traffic(
      packetsPerSecond: fields.required("packetsPerSecond", .count, else: 0),
      payloadBytes: fields.required("payloadBytes", .count, else: 0))
    fields.finish()
    return traffic
  }

  func move(_ node: SourceNode) -> Topology.Move? {
    guard var fields = MappingReader(node, "a move", log: log) else { return nil }
    let move = Topology.Move(
      epoch: fields.required("atEpoch", .count, else: 0), cell: fields.required("cell", .text, else: ""))
    fields.finish()
    return move
  }

  private func prolongation(_ node: SourceNode) -> Topology.Amendment? {
    guard var fields = MappingReader(node, "an extension", log: log) else { return nil }
    let amendment = Topology.Amendment(
      .extend, at: fields.required("atEpoch", .count, else: 0), epochs: fields.required("epochs", .count, else: 1))
    fields.finish()
    return amendment
  }

  private func renegotiation(_ node: SourceNode) -> Topology.Amendment? {
    guard var fields = MappingReader(node, "a renegotiation", log: log) else { return nil }
    let nowhere = Topology.ContractReference(operatorName: "", contractName: "")
    let amendment = Topology.Amendment(
      .renegotiate(fields.required("contract", .contractReference, else: nowhere)),
      at: fields.required("atEpoch", .count, else: 0), epochs: fields.required("epochs", .count, else: 1))
    fields.finish()
    return amendment
  }
}
