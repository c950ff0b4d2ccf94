import Effects
import Messages
import Signing

/// Clocks, timers, and actors that stand still.
extension World {
  /// What the actor takes for the time.
  func clockReading(of actor: Int) -> Instant {
    guard actors[actor].clock != nil else { return now }
    return actors[actor].clock?.read(at: now) ?? now
  }

  func disturbClock(of actor: Int, _ change: (inout VirtualClock, Instant) -> Void) {
    var clock = actors[actor].clock ?? VirtualClock(at: now)
    _ = clock.read(at: now)
    change(&clock, now)
    actors[actor].clock = clock.isRight ? nil : clock
    // Timers stand by the actor's clock: another clock, another moment.
    for (id, timer) in actors[actor].timers.sorted(by: { $0.value.number < $1.value.number }) {
      schedule(id, number: timer.number, at: timer.at, of: actor)
    }
  }

  func schedule(_ id: TimerID, number: UInt64, at instant: Instant, of actor: Int) {
    let at = actors[actor].clock?.worldInstant(showing: instant, at: now) ?? max(now, instant)
    queue.schedule(.timer(actor, life: actors[actor].life, id, number: number), at: at)
  }

  func timerRang(_ actor: Int, _ id: TimerID, number: UInt64) {
    guard let timer = actors[actor].timers[id], timer.number == number else { return }
    // A clock that went back or slows down is not there yet.
    if actors[actor].clock != nil, clockReading(of: actor) < timer.at {
      return schedule(id, number: number, at: timer.at, of: actor)
    }
    actors[actor].timers[id] = nil
    turn(actor, .timer(id))
  }

  /// Stamped as the receiver's clock has it.
  func datagramsArrived(_ actor: Int, _ datagrams: [Datagram]) {
    guard actors[actor].clock != nil else { return turn(actor, .datagrams(datagrams)) }
    let reading = clockReading(of: actor)
    turn(
      actor,
      .datagrams(
        datagrams.map { Datagram(from: $0.source, to: $0.destination, at: reading, bytes: $0.bytes) }))
  }

  // MARK: Pauses

  /// Events that wait for a paused actor; a host's inbox and its sockets hold no more.
  static let maximumWaiting = 16_384

  func hold(_ event: Event, _ content: Digest?, for actor: Int) {
    guard let count = actors[actor].waiting?.count, count < Self.maximumWaiting else { return }
    actors[actor].waiting?.append((event, content))
  }

  func resume(_ actor: Int) {
    guard let waiting = actors[actor].waiting else { return }
    actors[actor].waiting = nil
    for (event, content) in waiting { turn(actor, event, content: content) }
  }
}
