import Messages

/// Announcements of maintenance, and actors that cheat.
extension TopologyCheck {
  mutating func checkMaintenance(_ networkOperator: Topology.Operator, _ pointer: String) {
    require(
      networkOperator.maintenance.count <= ActivationLimits.maintenanceWindows, "\(pointer)/maintenance",
      "at most \(ActivationLimits.maintenanceWindows) announcements; remove some")
    let cells = Set(networkOperator.substrate.nodes.filter { $0.attachment == .cell }.map(\.name))
    for (index, maintenance) in networkOperator.maintenance.enumerated() {
      let pointer = "\(pointer)/maintenance/\(index)"
      let window = maintenance.window
      require(
        window.from < window.to && window.to <= ContractTerms.maximumSpan, "\(pointer)/to",
        "must be after 'from', and at most 366 days")
      require(
        maintenance.at <= window.from, "\(pointer)/at", "announced after it began, it binds nobody; announce it earlier"
      )
      require(!maintenance.cells.isEmpty, "\(pointer)/cells", "name at least one cell")
      for (index, cell) in maintenance.cells.enumerated() where !cells.contains(cell) {
        error(
          "\(pointer)/cells/\(index)", "'\(cell)' is no cell of \(networkOperator.name)'s substrate; correct the name")
      }
    }
  }

  mutating func checkBehaviours() {
    let actors = topology.behaviours.isEmpty ? [] : Set(topology.actors)
    var seen: Set<Topology.Behaviour> = []
    var members: Set<ActorAddress> = []
    for (index, behaviour) in topology.behaviours.enumerated() {
      let pointer = "/behaviours/\(index)"
      let cheat = behaviour.cheat
      if behaviour.actor.role != cheat.role {
        error("\(pointer)/actor", "\(cheat.rawValue) is what an actor of role \(cheat.role.rawValue) does")
      } else if !actors.contains(behaviour.actor) {
        error(
          "\(pointer)/actor", "there is no \(behaviour.actor); correct the name",
          basis: ["/operators", "/regulators", "/customers"])
      }
      require(
        behaviour.fromEpoch == 0 || cheat.hasEpochs, "\(pointer)/fromEpoch",
        "\(cheat.rawValue) has no epochs; leave it out")
      if cheat.role == .validator {
        require(
          members.insert(behaviour.actor).inserted, pointer, "\(behaviour.actor) cheats in another way; remove one")
      }
      var behaviour = behaviour
      behaviour.fromEpoch = 0
      require(seen.insert(behaviour).inserted, pointer, "\(behaviour.actor) does this already; remove one")
    }
  }
}
