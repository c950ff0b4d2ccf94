import Effects
import Messages
import Signing

/// Lives and turns.
extension World {
  /// One event for one actor, and everything it wants done about it, in order. Nothing when it is not alive.
  func turn(_ actor: Int, _ event: Event, content: Digest? = nil) {
    guard actors[actor].condition == .alive else { return }
    trace.add(event, content: content, to: actor, at: now)
    witness(now, actors[actor].address, event)
    guard let effects = actors[actor].core?.handle(event, at: now) else { return }
    for (position, effect) in effects.enumerated() {
      inspector(now, actors[actor].address, effect, actors[actor].disk)
      perform(effect, by: actor)
      if actors[actor].condition != .alive { return commitRest(effects[(position + 1)...], of: actor) }
    }
  }

  /// A crash or a halt cuts the turn, but not its commit: a host makes all records of a turn durable at once, and only
  /// then lets anything leave.
  private func commitRest(_ effects: ArraySlice<Effect>, of actor: Int) {
    for case .persist(let record) in effects {
      actors[actor].disk.apply(record)
      actors[actor].persists += 1
    }
  }

  /// Begins a life: the core is made from what is durable, subscribes, and is told it has started.
  func bear(_ actor: Int) {
    guard actors[actor].condition == .down else { return }
    actors[actor].life += 1
    trace.add(.born, actor, at: now)
    let core: any RoleCore
    do {
      core = try actors[actor].seat.make(actors[actor].life, actors[actor].disk.records)
    } catch {
      return halt(actor, "cannot be made from its records: \(error)")
    }
    actors[actor].core = core
    actors[actor].condition = .alive
    for subscription in core.subscriptions { subscribe(actor, to: subscription) }
    turn(actor, .started)
  }

  func crash(_ actor: Int, down: Span) {
    guard actors[actor].condition == .alive else { return }
    trace.add(.crashed, actor, at: now)
    end(actor, as: .down)
    queue.schedule(.birth(actor), at: now + down)
  }

  func halt(_ actor: Int, _ reason: String) {
    trace.add(.halted, actor, at: now)
    end(actor, as: .halted)
    halts.append(Halt(actor: actors[actor].address, at: now, reason: reason))
  }

  /// Ends a life: subscriptions go, what was published is no longer kept, and whoever waits for an answer is told.
  private func end(_ actor: Int, as condition: VirtualActor.Condition) {
    for stream in actors[actor].streams { channels[streams[stream].subscription]?.unsubscribe(stream) }
    for topic in Topic.allCases { channels[Subscription(actors[actor].address, topic)]?.restart() }
    actors[actor].lose(condition)
    let unanswered = open.filter { $0.value.target == actor && $0.value.servedBy != nil && !$0.value.isAnswered }
    for number in unanswered.keys.sorted() {
      answer(number, .failure(RemoteError(.unavailable, "\(actors[actor].address) went away")))
    }
  }

  /// Crashes an actor whose fault says so right after this record.
  func persisted(_ actor: Int) {
    actors[actor].persists += 1
    let count = actors[actor].persists
    guard let point = crashPoints[actor]?.first(where: { $0.count == count }) else { return }
    crash(actor, down: point.down)
  }
}
