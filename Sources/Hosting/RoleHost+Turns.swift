import Bus
import Effects
import Messages

/// What turns' events came to: concluded together.
struct TurnOutcome {
  var records: [Record] = []
  /// What leaves when the records are durable, in order.
  var effects: [Effect] = []
  var recalls: [(id: RequestID, stream: UInt16, from: UInt64, limit: Int)] = []
  /// The core handles nothing after it asked to be stopped.
  var halt: HaltReason?
  /// Events of the inbox in it.
  var events = 0

  var isEmpty: Bool { size == 0 && halt == nil }
  var size: Int { records.count + effects.count + recalls.count }
  /// Nothing has to be asked of the store.
  var isSpeechOnly: Bool { records.isEmpty && recalls.isEmpty }
}

/// How it stands with what has been handled.
enum Conclusion {
  case none
  /// Commits and then speaks; one at a time, so that what leaves keeps its order.
  case underWay(Task<Void, Never>)
  /// The store failed, or the core halted: nothing is handled and nothing leaves any more.
  case ended(any Error)

  var isUnderWay: Bool { if case .underWay = self { true } else { false } }
}

// MARK: Turns

extension RoleHost {
  func takeTurns() async throws {
    while !phase.isStopping {
      if case .ended(let reason) = conclusion { throw reason }
      if isReady {
        turn()
        // The commit under way must get to say that it is done.
        if conclusion.isUnderWay { await Task.yield() }
      } else {
        await withCheckedContinuation { waitingForWork = $0 }
      }
    }
    try await concludeAll()
  }

  /// Told to stop: what was handled still becomes durable and leaves.
  private func concludeAll() async throws {
    while true {
      switch conclusion {
      case .underWay(let task): await task.value
      case .ended(let reason): throw reason
      case .none:
        if gathered.isEmpty { return }
        conclude()
      }
    }
  }

  /// Whether anything can be handled now. Behind a commit only so much gathers.
  private var isReady: Bool {
    guard gathered.halt == nil, gathered.size < Self.maximumGathered else { return false }
    return hasRung || hasNews || !packets.isEmpty || !inbox.isEmpty && gathered.events < Self.turnEvents
  }

  private func turn() {
    let events = inbox.take(Self.turnEvents - gathered.events)
    gathered.events += events.count
    // The ledger first: what is decided next is decided as of now. But nothing before `.started`.
    let news = hasStarted ? news() : []
    for event in news + packets.take(Self.turnEvents) + events where gathered.halt == nil { handle(event) }
    hasStarted = true
    hasRung = false
    for _ in 0..<Self.turnEvents {
      guard gathered.halt == nil, let timer = timers.pop(dueAt: clock.now()) else { break }
      handle(.timer(timer))
    }
    if case .none = conclusion { conclude() }
    setAlarm()
  }

  private func handle(_ event: Event) {
    for effect in core.handle(event, at: clock.now()) {
      switch effect {
      case .persist(let record): gathered.records.append(record)
      case .setTimer(let id, let at): timers.set(id, at: at)
      case .cancelTimer(let id): timers.cancel(id)
      case .recall(let id, let stream, let from, let limit): gathered.recalls.append((id, stream, from, limit))
      case .halt(let reason):
        gathered.halt = reason
        return
      case .transmit(let datagrams): transmit(datagrams)
      case .recognise(let era): eras.append(era)
      case .tell(let news): desk?.tell(news)
      case .publish, .request, .reply, .refuse, .observe: gathered.effects.append(effect)
      }
    }
  }

  // MARK: Conclusions

  /// Begins to conclude what has gathered; does it at once when the store has no part in it.
  private func conclude() {
    let outcome = gathered
    // Also where nothing came of the events: they must not count against those that follow.
    gathered = TurnOutcome()
    guard !outcome.isEmpty else { return }
    if outcome.isSpeechOnly {
      speak(outcome)
    } else {
      // A task of its own: who cancels the host must not cancel a commit.
      conclusion = .underWay(Task { await self.makeDurable(outcome) })
    }
  }

  private func makeDurable(_ outcome: TurnOutcome) async {
    do {
      if !outcome.records.isEmpty { try await store.commit(outcome.records) }
      speak(outcome)
      for recall in outcome.recalls {
        let records = try await store.records(stream: recall.stream, from: recall.from, limit: recall.limit)
        inbox.append([.recalled(recall.id, records)])
      }
    } catch {
      conclusion = .ended(error)
    }
    if conclusion.isUnderWay {
      conclusion = .none
      conclude()
    }
    wake()
  }

  private func speak(_ outcome: TurnOutcome) {
    for effect in outcome.effects { perform(effect) }
    if let halt = outcome.halt { conclusion = .ended(halt) }
  }

  private func perform(_ effect: Effect) {
    switch effect {
    case .publish(let topic, let message): publish(message, under: topic)
    case .request(let id, let to, let message, let deadline): request(id, to: to, message, deadline: deadline)
    case .reply(let token, let message): bus.reply(Ticket(token.number), .success(message.encoded))
    case .refuse(let token, let error): bus.reply(Ticket(token.number), .failure(error))
    case .observe(let observation): observer(address, observation)
    // Taken out by `handle`.
    case .transmit, .recognise, .tell, .persist, .recall, .setTimer, .cancelTimer, .halt: break
    }
  }

  private func transmit(_ datagrams: [Datagram]) {
    if let dataPlane {
      dataPlane.send(datagrams)
    } else {
      observer(address, .counted("transmit.noDataPlane", by: UInt64(datagrams.count)))
    }
  }

  private func publish(_ message: Message, under topic: Topic) {
    guard let mailbox = phase.mailbox else { return }
    do throws(BusError) {
      try bus.publish(from: mailbox, topic: topic, body: message.encoded)
    } catch {
      observer(address, .counted("publish.failed", by: 1))
      observer(address, .note(.warning, "a publication under \(topic) did not leave: \(error)"))
    }
  }

  private func request(_ id: RequestID, to: ActorAddress, _ message: Message, deadline: Span) {
    guard let mailbox = phase.mailbox else { return }
    do throws(RemoteError) {
      try bus.send(id.number, from: mailbox, to: to, body: message.encoded, deadline: deadline)
    } catch {
      // As the bus itself would tell it: an answer, in a later turn.
      inbox.append([.response(id, .failure(error))])
    }
  }

  // MARK: Time

  private func setAlarm() {
    guard !phase.isStopping, let next = timers.next() else { return }
    if let alarm, alarm.at <= next { return }
    alarm?.task.cancel()
    let wait = max(Span.zero, next - clock.now())
    let task = Task { [weak self] in
      do { try await Task.sleep(for: .nanoseconds(wait.nanoseconds), tolerance: .zero) } catch { return }
      await self?.ring()
    }
    alarm = (next, task)
  }

  private func ring() {
    // A cancelled alarm may have rung already: a turn without a due timer does no harm.
    alarm = nil
    hasRung = true
    wake()
  }
}
