import Effects
import Messages
import Signing
import Topology

/// What goes wrong on schedule.
extension World {
  func plan(_ faults: [Fault]) {
    schedule = FaultSchedule(faults, addresses: addresses)
    for (number, planned) in schedule.planned.enumerated() {
      switch planned.fault.trigger {
      case .time(let span): queue.schedule(.fault(number), at: Self.start + span)
      case .height, .view, .epoch: break
      case .persist(let count): add(Strike(place: .persist(count), fault: planned.fault), to: planned.subjects)
      case .effect(let count): add(Strike(place: .effect(count), fault: planned.fault), to: planned.subjects)
      }
    }
  }

  private func add(_ strike: Strike, to actors: [Int]) {
    for actor in actors { self.actors[actor].strikes.append(strike) }
  }

  /// A fault whose time or event has come.
  func strike(_ number: Int) {
    let planned = schedule.planned[number]
    trace.add(.fault, number, at: now)
    struck.append(StruckFault(fault: planned.fault, at: now))
    switch planned.fault.kind {
    case .crash(_, let down): for actor in planned.subjects { crash(actor, down: down) }
    case .flippedBit(_, let down):
      for actor in planned.subjects where actors[actor].condition == .alive {
        crash(actor, down: down)
        if actors[actor].disk.turnBit(&random) { distrust(actor) }
      }
    case .tornWrite(_, let down): for actor in planned.subjects { actors[actor].trouble = .tears(down: down) }
    case .failedSync(_, let down): for actor in planned.subjects { actors[actor].trouble = .fails(down: down) }
    case .fullDisk(_, let lasting):
      for actor in planned.subjects { actors[actor].trouble = .isFull }
      last(number, lasting)
    case .lostSyncs(_, let lasting, _):
      for actor in planned.subjects { actors[actor].disk.loseSyncs() }
      last(number, lasting)
    case .pause(_, let lasting):
      for actor in planned.subjects where actors[actor].condition == .alive && actors[actor].waiting == nil {
        actors[actor].waiting = []
      }
      last(number, lasting)
    case .clock(_, let error, let lasting):
      for actor in planned.subjects { disturbClock(of: actor) { $0.disturb(error, at: $1) } }
      last(number, lasting)
    case .partition(_, let lasting), .disturbance(_, _, let lasting):
      links.begin(number, planned)
      last(number, lasting)
    }
  }

  /// - Parameter lasting: nil when it never ends.
  private func last(_ number: Int, _ lasting: Span?) {
    schedule.begun(at: now)
    if let lasting { queue.schedule(.faultEnds(number), at: now + lasting) }
  }

  /// What lasted is over.
  func heal(_ number: Int) {
    let planned = schedule.planned[number]
    trace.add(.healed, number, at: now)
    schedule.ended(at: now)
    switch planned.fault.kind {
    case .partition, .disturbance:
      links.end(number)
      fetchMissed()
    case .fullDisk:
      for actor in planned.subjects {
        if case .isFull? = actors[actor].trouble { actors[actor].trouble = nil }
        // Whoever stopped for want of room has been waiting for it.
        if actors[actor].isStruck { queue.schedule(.birth(actor), at: now) }
      }
    case .lostSyncs(_, _, let down): for actor in planned.subjects { losePower(actor, down: down) }
    case .pause: for actor in planned.subjects { resume(actor) }
    case .clock: for actor in planned.subjects { disturbClock(of: actor) { $0.correct(at: $1) } }
    case .crash, .tornWrite, .failedSync, .flippedBit: break
    }
  }

  // MARK: Lives

  /// An actor went down, and comes back unless it is gone for good.
  func struck(_ actor: Int, down: Span?) {
    guard let down else { return schedule.passed(at: now) }
    schedule.begun(at: now)
    actors[actor].isStruck = true
    queue.schedule(.birth(actor), at: now + down)
  }

  /// An actor is back, whatever its records then say.
  func recovered(_ actor: Int) {
    guard actors[actor].isStruck else { return }
    actors[actor].isStruck = false
    schedule.ended(at: now)
  }

  private func losePower(_ actor: Int, down: Span?) {
    crash(actor, down: down)
    if actors[actor].disk.losePower(&random) { distrust(actor) }
  }

  private func distrust(_ actor: Int) {
    if unreliable.insert(actors[actor].address).inserted { distruster(actors[actor].address) }
  }

  /// The strike that is due here, which happens once.
  func strike(at place: Strike.Place, of actor: Int) -> Strike? {
    guard !actors[actor].strikes.isEmpty,
      let index = actors[actor].strikes.firstIndex(where: { $0.place == place })
    else { return nil }
    return take(index, of: actor)
  }

  private func take(_ strike: Int, of actor: Int) -> Strike {
    let strike = actors[actor].strikes.remove(at: strike)
    struck.append(StruckFault(fault: strike.fault, at: now))
    return strike
  }

  // MARK: Disks

  /// What is wrong with the commit that a turn asks for; nil when nothing is, or it asks for none.
  func trouble(of actor: Int, with effects: [Effect]) -> DiskTrouble? {
    guard actors[actor].trouble != nil || !actors[actor].strikes.isEmpty else { return nil }
    let count = effects.reduce(0) { count, effect in if case .persist = effect { count + 1 } else { count } }
    guard count > 0 else { return nil }
    if let trouble = actors[actor].trouble {
      if case .isFull = trouble { return trouble }
      actors[actor].trouble = nil
      return trouble
    }
    for number in actors[actor].persists + 1...actors[actor].persists + UInt64(count) {
      guard let index = actors[actor].strikes.firstIndex(where: { $0.place == .persist(number) }) else { continue }
      switch actors[actor].strikes[index].fault.kind {
      case .tornWrite: return .tears(down: take(index, of: actor).down)
      case .failedSync: return .fails(down: take(index, of: actor).down)
      default: continue
      }
    }
    return nil
  }

  /// A turn whose commit does not succeed: datagrams have left, nothing else does, and the life ends.
  func fail(_ actor: Int, _ effects: [Effect], _ trouble: DiskTrouble) {
    var commit = Commit()
    for effect in effects {
      switch effect {
      case .transmit: perform(effect, by: actor)
      case .persist(let record): commit.records.append(record)
      default: break
      }
    }
    switch trouble {
    case .tears(let down):
      let frame = commit.frame
      // Anything up to all of it; what was not acknowledged may be there or not.
      let written = frame.prefix(Int(random.below(UInt64(frame.count) + 1)))
      if Commit.isWhole(written) { apply(commit, of: actor) }
      crash(actor, down: down)
    case .fails(let down):
      if random.below(2) == 0 { apply(commit, of: actor) }
      crash(actor, down: down)
    case .isFull:
      crash(actor, down: Topology.Fault.maximumSpan)
    }
  }

  private func apply(_ commit: Commit, of actor: Int) {
    for record in commit.records { actors[actor].disk.apply(record) }
    actors[actor].persists += UInt64(commit.records.count)
    actors[actor].disk.concludeCommit()
  }

  static func damaged(_ record: (stream: UInt16, key: UInt64)) -> String {
    "record \(record.key) of stream \(record.stream) is not what was written; restore the disk"
  }

  // MARK: Links

  /// Publications that did not get through are fetched where the link is whole again; what is no longer kept is a gap.
  private func fetchMissed() {
    for stream in streams.indices {
      guard actors[streams[stream].subscriber].streams.contains(stream), let link = link(of: stream),
        !links.isCut(link, .bus), let channel = channels[streams[stream].subscription],
        let missed = streams[stream].takeMissed(from: channel)
      else { continue }
      let at = now + random.delay(conditions.fetchDelay)
      for number in missed {
        let arrival = channel.message(number).map { SubscriptionStream.Arrival.message($0) } ?? .givenUp
        queue.schedule(.arrival(stream: stream, life: channel.life, number: number, arrival), at: at)
      }
    }
  }
}
