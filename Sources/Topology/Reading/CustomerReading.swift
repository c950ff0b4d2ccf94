import Messages

/// `customers:` with their enclaves and what they agree to; one entry may stand for many customers.
extension TopologyReading {
  /// One entry of the list: a customer, or the template of many.
  struct Population {
    var template: Topology.Customer
    /// Nil: the template itself.
    var count: UInt64?
    /// Between the orders of one copy and the next.
    var every: Span
    /// How many processes hold the enclaves of all copies; nil: one process each.
    var enclaveProcesses: UInt64?
    /// Per activation: dealt to the copies round and round.
    var cells: [[String]]
  }

  func population(_ node: SourceNode) -> Population? {
    guard var fields = MappingReader(node, "a customer", log: log) else { return nil }
    let name = fields.required("name", .text, else: "")
    let credit = fields.required("credit", .amount, else: 0)
    let enclaves = fields.list("enclaves", enclave)
    let orders = fields.list("activations", order)
    let template = Topology.Customer(
      name: name, credit: credit, enclaves: enclaves, activations: orders.map(\.activation),
      accepts: fields.list("accepts", acceptance))
    let population = Population(
      template: template, count: fields.optional("count", .populationSize),
      every: fields.optional("every", .duration, default: .zero),
      enclaveProcesses: fields.optional("enclaveProcesses", .populationSize), cells: orders.map(\.cells))
    fields.finish()
    return population
  }

  private func enclave(_ node: SourceNode) -> Topology.Enclave? {
    guard var fields = MappingReader(node, "an enclave", log: log) else { return nil }
    let enclave = Topology.Enclave(
      name: fields.required("name", .text, else: ""),
      measurement: fields.optional("measurement", .measurement, default: .auto))
    fields.finish()
    return enclave
  }

  private func acceptance(_ node: SourceNode) -> Topology.Acceptance? {
    guard var fields = MappingReader(node, "an acceptance of another customer's activation", log: log) else {
      return nil
    }
    let acceptance = Topology.Acceptance(
      activation: fields.required("activation", .text, else: ""), cell: fields.required("cell", .text, else: ""),
      enclave: fields.required("enclave", .text, else: ""),
      traffic: fields.take("traffic").flatMap(stream) ?? .silent, moves: fields.list("moves", move))
    fields.finish()
    return acceptance
  }

  // MARK: Many from one

  /// Everybody the list stands for. What checks find about a copy is told where its template stands.
  func customers(_ populations: [Population], _ pointer: String) -> [Topology.Customer] {
    var customers: [Topology.Customer] = []
    for (index, population) in populations.enumerated() {
      for copy in population.customers {
        log.redirect("\(pointer)/\(customers.count)", to: "\(pointer)/\(index)")
        customers.append(copy)
      }
    }
    return customers
  }
}

extension TopologyReading.Population {
  /// Customers of one entry, at most: more than the check lets through in all.
  static let maximumCount: UInt64 = 4096

  /// `car` becomes `car-0001`, `car-0002` …, and so do the names of its enclaves and activations.
  var customers: [Topology.Customer] {
    let numbers = count.map { (1...$0).map { UInt64?($0) } } ?? [nil]
    var enclavesSoFar: UInt64 = 0
    return numbers.map { number in
      var customer = template
      if let number { rename(&customer, number) }
      for index in customer.enclaves.indices {
        if let enclaveProcesses {
          customer.enclaves[index].process = "\(template.name)-enclaves-\(enclavesSoFar % enclaveProcesses + 1)"
        }
        enclavesSoFar += 1
      }
      return customer
    }
  }

  private func rename(_ customer: inout Topology.Customer, _ number: UInt64) {
    let digits = String(number)
    let suffix = "-" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    customer.name += suffix
    for index in customer.enclaves.indices {
      let name = customer.enclaves[index].name + suffix
      customer.enclaves[index].name = name
      customer.enclaves[index].process = name
    }
    for index in customer.activations.indices {
      customer.activations[index].name += suffix
      customer.activations[index].enclave += suffix
      let dealt = cells[index]
      customer.activations[index].cell = dealt[Int(number - 1) % dealt.count]
      // Saturates: the check says that such a time is too late.
      let (delay, tooLong) = every.nanoseconds.multipliedReportingOverflow(by: Int64(number - 1))
      let (at, tooLate) = customer.activations[index].at.nanoseconds.addingReportingOverflow(delay)
      customer.activations[index].at = Span(nanoseconds: tooLong || tooLate ? .max : at)
    }
    for index in customer.accepts.indices { customer.accepts[index].enclave += suffix }
  }
}

extension ScalarKind where Value == UInt64 {
  static var populationSize: ScalarKind {
    let most = TopologyReading.Population.maximumCount
    return ScalarKind(expected: "a whole number from 1 to \(most)") { text, isPlain in
      guard let count = ScalarKind.count.read(text, isPlain), (1...most).contains(count) else { return nil }
      return count
    }
  }
}
