import Effects
import Messages
import Signing

/// Lives and turns.
extension World {
  /// One event for one actor, and everything it wants done about it, in order. Nothing when it is not alive; later when
  /// it is paused.
  func turn(_ actor: Int, _ event: Event, content: Digest? = nil) {
    guard actors[actor].condition == .alive else { return }
    if actors[actor].waiting != nil { return hold(event, content, for: actor) }
    trace.add(event, content: content, to: actor, at: now)
    let reading = clockReading(of: actor)
    witness(now, actors[actor].address, event)
    guard let effects = actors[actor].core?.handle(event, at: reading), !effects.isEmpty else { return }
    if let trouble = trouble(of: actor, with: effects) { return fail(actor, effects, trouble) }
    for (position, effect) in effects.enumerated() {
      actors[actor].effects += 1
      if let strike = strike(at: .effect(actors[actor].effects), of: actor) {
        crash(actor, down: strike.down)
        return commitRest(effects[position...], of: actor)
      }
      inspector(now, actors[actor].address, effect, actors[actor].disk)
      perform(effect, by: actor)
      if actors[actor].condition != .alive { return commitRest(effects[(position + 1)...], of: actor) }
    }
    actors[actor].disk.concludeCommit()
  }

  /// A crash or a halt cuts the turn, but not its commit: a host makes all records of a turn durable at once, and only
  /// then lets anything leave.
  private func commitRest(_ effects: ArraySlice<Effect>, of actor: Int) {
    for case .persist(let record) in effects {
      actors[actor].disk.apply(record)
      actors[actor].persists += 1
    }
    actors[actor].disk.concludeCommit()
  }

  /// Begins a life: the core is made from what is durable, subscribes, and is told it has started.
  func bear(_ actor: Int) {
    guard actors[actor].condition == .down else { return }
    actors[actor].life += 1
    trace.add(.born, actor, at: now)
    recovered(actor)
    if let damaged = actors[actor].disk.damagedRecord { return halt(actor, Self.damaged(damaged)) }
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

  /// - Parameter down: nil when it never comes back.
  func crash(_ actor: Int, down: Span?) {
    guard actors[actor].condition == .alive else { return }
    trace.add(.crashed, actor, at: now)
    end(actor, as: .down)
    struck(actor, down: down)
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

  /// Counts a durable record, and crashes an actor whose fault says so right after it.
  func persisted(_ actor: Int) {
    actors[actor].persists += 1
    if let strike = strike(at: .persist(actors[actor].persists), of: actor), case .crash = strike.fault.kind {
      crash(actor, down: strike.down)
    }
  }
}
