import Effects
import Messages

/// Everything one actor publishes under one topic: numbered within one life of the publisher, the latest kept for
/// subscribers that come or come back, as on the bus.
struct Channel {
  /// Messages and bytes a publisher keeps; the newest always.
  static let keptMessages = 1_024
  static let keptBytes = 32 << 20

  /// The publisher's life these numbers belong to.
  private(set) var life: UInt64 = 0
  private(set) var lastNumber: UInt64 = 0
  private(set) var kept: [Parcel] = []
  private var bytes = 0
  /// In order of subscription: messages are sent in this order.
  private(set) var streams: [Int] = []

  /// Nil when it is no longer kept.
  func message(_ number: UInt64) -> Parcel? {
    guard number >= oldestKept, number <= lastNumber else { return nil }
    return kept[Int(number - oldestKept)]
  }

  var oldestKept: UInt64 { lastNumber - UInt64(kept.count) + 1 }

  mutating func publish(_ parcel: Parcel) -> UInt64 {
    lastNumber += 1
    kept.append(parcel)
    bytes += parcel.byteCount
    while kept.count > Self.keptMessages || (bytes > Self.keptBytes && kept.count > 1) {
      bytes -= kept.removeFirst().byteCount
    }
    return lastNumber
  }

  mutating func subscribe(_ stream: Int) { streams.append(stream) }
  mutating func unsubscribe(_ stream: Int) { streams.removeAll { $0 == stream } }

  /// The publisher died: what it kept is gone and its successor numbers from 1.
  mutating func restart() {
    life += 1
    lastNumber = 0
    kept = []
    bytes = 0
  }
}

/// One subscriber's view of one channel: in order, each message once, what was given up counted.
struct SubscriptionStream {
  enum Arrival {
    case message(Parcel)
    case givenUp
  }

  let subscriber: Int
  let subscription: Subscription
  private var life: UInt64
  private var next: UInt64
  private var gap: UInt64 = 0
  /// What waits for an earlier number.
  private var held: [UInt64: Arrival] = [:]
  /// The first message, and the publisher's life, that did not get through because the link was cut.
  private var missed: (life: UInt64, number: UInt64)?

  init(subscriber: Int, _ subscription: Subscription, to channel: Channel) {
    self.subscriber = subscriber
    self.subscription = subscription
    life = channel.life
    next = channel.oldestKept
  }

  /// Nothing more gets through: what is said from this number on will be fetched when something does again.
  mutating func miss(life: UInt64, number: UInt64) {
    if missed == nil { missed = (life, number) }
  }

  /// What there is to fetch now that the link is whole, or that the publisher no longer has.
  mutating func takeMissed(from channel: Channel) -> ClosedRange<UInt64>? {
    guard let (life, number) = missed else { return nil }
    missed = nil
    let first = life == channel.life ? number : 1
    return first <= channel.lastNumber ? first...channel.lastNumber : nil
  }

  mutating func receive(_ arrival: Arrival, life: UInt64, number: UInt64) {
    if life > self.life {
      // A successor speaks: what its predecessor said and is not here yet will not be missed by number.
      self.life = life
      next = 1
      gap = 0
      held = [:]
    }
    guard life == self.life, number >= next else { return }
    held[number] = arrival
  }

  /// The next message in order, if it is here, and how many were lost before it.
  mutating func takeNext() -> (gap: UInt64, Parcel)? {
    while let arrival = held.removeValue(forKey: next) {
      next += 1
      switch arrival {
      case .givenUp: gap += 1
      case .message(let parcel):
        defer { gap = 0 }
        return (gap, parcel)
      }
    }
    return nil
  }
}
