import Assembly
import Effects
import Messages
import Topology

/// The faults of one world: which wait for what, and whether any is under way.
struct FaultSchedule {
  /// A fault of this world's actors.
  struct Planned {
    let fault: Fault
    /// Struck, or at the first end of the links; ascending.
    let subjects: [Int]
    /// Per actor: whether it is at the links' second end.
    let isOther: [Bool]
  }

  private(set) var planned: [Planned] = []
  /// Faults that wait for an event, by number.
  private var waiting: [Int] = []
  private var ongoing = 0
  private var lastChange = World.start

  init(_ faults: [Fault], addresses: [ActorAddress]) {
    planned = faults.map { fault in
      let subjects = addresses.indices.filter { index in fault.subjects.contains { $0.fits(addresses[index]) } }
      var isOther = [Bool](repeating: false, count: addresses.count)
      let others = fault.patterns.dropFirst(fault.subjects.count)
      for index in addresses.indices {
        isOther[index] =
          others.isEmpty ? !subjects.contains(index) : others.contains { $0.fits(addresses[index]) }
      }
      return Planned(fault: fault, subjects: subjects, isOther: isOther)
    }
    waiting = planned.indices.filter { number in
      switch planned[number].fault.trigger {
      case .height, .view, .epoch: true
      case .time, .persist, .effect: false
      }
    }
  }

  /// Faults that an observation sets off, in file order; each once.
  mutating func take(setOffBy observation: Observation) -> [Int] {
    guard !waiting.isEmpty else { return [] }
    let struck = waiting.filter { planned[$0].fault.trigger.isMet(by: observation) }
    if !struck.isEmpty { waiting.removeAll { struck.contains($0) } }
    return struck
  }

  mutating func begun(at now: Instant) {
    ongoing += 1
    lastChange = now
  }

  mutating func ended(at now: Instant) {
    ongoing -= 1
    lastChange = now
  }

  /// Something that is over as soon as it has happened.
  mutating func passed(at now: Instant) { lastChange = now }

  /// Since when nothing has been wrong; nil while something is.
  var calmSince: Instant? { ongoing == 0 ? lastChange : nil }
}
