import Messages
import Topology

extension KeyName {
  /// The secrets that actors of a node need while they work. Organisations' keys and operators' treasuries are not
  /// among them: nothing that runs unattended signs with those.
  public static func names(_ topology: Topology, neededBy actors: [ActorAddress]) -> [KeyName] {
    var names: [KeyName] = []
    func add(_ name: KeyName) { if !names.contains(name) { names.append(name) } }
    for actor in actors.sorted() {
      switch actor.role {
      case .validator, .regulator: add(KeyName(.validator, actor.name))
      case .controller: add(KeyName(.controller, actor.name))
      case .edge: add(KeyName(.edge, actor.name))
      case .customer: add(KeyName(.treasury, actor.name))
      case .enclave:
        let owner = topology.customers.first { $0.enclaves.contains { $0.name == actor.name } }
        if let owner { add(KeyName(.platform, owner.name)) }
      default: break
      }
    }
    return names
  }
}
