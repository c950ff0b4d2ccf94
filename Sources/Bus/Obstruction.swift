import Messages

/// What does not get through to actors here, or only late, although the connection stands: faults that a topology plans
/// (`faults:`). It works where messages come in, so that a cut in one direction is one: who is obstructed at both ends
/// hears nothing either way. What is lost in this way was never received: an asker's deadline passes, a publication is
/// missed by its number and fetched once that gets through again.
public struct Obstruction: Hashable, Sendable {
  /// Whose requests, answers and publications.
  public var senders: Set<ActorAddress>
  /// To which actors of this process.
  public var receivers: Set<ActorAddress>
  /// Nothing gets through when nil.
  public var delay: Delay?

  public struct Delay: Hashable, Sendable {
    public var base: Span
    /// On top of it, up to this much, drawn anew for each message.
    public var jitter: Span

    public init(base: Span, jitter: Span) {
      self.base = base
      self.jitter = jitter
    }
  }

  public init(senders: Set<ActorAddress>, receivers: Set<ActorAddress>, delay: Delay? = nil) {
    self.senders = senders
    self.receivers = receivers
    self.delay = delay
  }

  /// In force at once.
  public static let maximum = 1024
  /// Messages that wait to be late; beyond them the newest is lost.
  static let maximumHeld = 16_384
}

/// How a message gets from one actor to another.
enum Passage {
  case open
  case closed
  case late(Span)
}

extension Switchboard {
  /// Actors of one process are never kept apart: there is no bus between them.
  func passage(from sender: ActorAddress, to receiver: ActorAddress) -> Passage {
    guard !obstructions.isEmpty, mailboxes[sender] == nil else { return .open }
    var delay = Span.zero
    for obstruction in obstructions
    where obstruction.senders.contains(sender) && obstruction.receivers.contains(receiver) {
      guard let late = obstruction.delay else { return .closed }
      let jitter = late.jitter > .zero ? Int64.random(in: 0...late.jitter.nanoseconds) : 0
      delay = delay + late.base + Span(nanoseconds: jitter)
    }
    return delay > .zero ? .late(delay) : .open
  }

  /// Does it now, later, or never.
  func pass(from sender: ActorAddress, to receiver: ActorAddress, _ action: @escaping () -> Void) {
    switch passage(from: sender, to: receiver) {
    case .open: action()
    case .closed: break
    case .late(let delay):
      guard held.count < Obstruction.maximumHeld else { return }
      lastHeld += 1
      held[lastHeld] = action
      deadlines.add(.held(lastHeld), at: .now().advanced(by: delay))
    }
  }

  func release(_ number: UInt64) { held.removeValue(forKey: number)?() }
}
