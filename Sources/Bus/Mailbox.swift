import Messages
import Synchronization

/// The one queue of one local actor: bounded, many producers, exactly one consumer.
///
/// Overflow policy. Requests and publications share ``capacity`` places. A request that finds none is answered
/// `.tooManyRequests` at once. A publication that finds none is left with its publisher and fetched when half of the
/// places are free again, so a slow subscriber lags, and loses (with a gap count) only what the publisher has dropped.
/// Responses have ``capacity`` places of their own, taken when the request is sent: an answer always fits.
public final class Mailbox: AsyncSequence, Sendable {
  public typealias Element = Delivery

  public let address: ActorAddress
  public let capacity: Int
  private let state = Mutex(State())
  private let roomAvailable: @Sendable (ActorAddress) -> Void

  private struct State {
    var items = FirstInFirstOut<Delivery>()
    var queuedResponses = 0
    /// Responses owed to this actor: sent for and not yet here.
    var owedResponses = 0
    var isClosed = false
    /// A publication was turned away: tell the socket thread when there is room.
    var wantsRoomSignal = false
    var waiter: CheckedContinuation<Void, Never>?

    var occupied: Int { items.count - queuedResponses }
  }

  init(address: ActorAddress, capacity: Int, roomAvailable: @escaping @Sendable (ActorAddress) -> Void) {
    self.address = address
    self.capacity = Swift.max(1, capacity)
    self.roomAvailable = roomAvailable
  }

  // MARK: Consumer

  /// Waits for at least one delivery and takes up to `max`, oldest first.
  /// - Returns: nil when the mailbox is closed and empty, or the task is cancelled.
  public func nextBatch(max: Int, isolation: isolated (any Actor)? = #isolation) async -> [Delivery]? {
    while true {
      switch take(Swift.max(1, max)) {
      case .batch(let batch): return batch
      case .closed: return nil
      case .empty:
        if Task.isCancelled { return nil }
        await waitForDelivery(isolation: isolation)
      }
    }
  }

  public struct AsyncIterator: AsyncIteratorProtocol {
    let mailbox: Mailbox
    public mutating func next() async -> Delivery? { await next(isolation: nil) }
    public mutating func next(isolation actor: isolated (any Actor)?) async -> Delivery? {
      await mailbox.nextBatch(max: 1, isolation: actor)?.first
    }
  }

  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(mailbox: self) }

  /// Deliveries waiting now.
  public var count: Int { state.withLock { $0.items.count } }

  private enum Taken {
    case batch([Delivery])
    case closed, empty
  }

  private func take(_ maximum: Int) -> Taken {
    let (taken, hasRoom) = state.withLock { state -> (Taken, Bool) in
      guard !state.items.isEmpty else { return (state.isClosed ? .closed : .empty, false) }
      let batch = state.items.popFirst(maximum)
      for case .response in batch { state.queuedResponses -= 1 }
      guard state.wantsRoomSignal, state.occupied * 2 <= capacity else { return (.batch(batch), false) }
      state.wantsRoomSignal = false
      return (.batch(batch), true)
    }
    if hasRoom { roomAvailable(address) }
    return taken
  }

  private func waitForDelivery(isolation: isolated (any Actor)?) async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isReady = state.withLock { state -> Bool in
          precondition(state.waiter == nil, "a mailbox has one consumer")
          if !state.items.isEmpty || state.isClosed { return true }
          state.waiter = continuation
          return false
        }
        if isReady { continuation.resume() }
        // A cancellation before the waiter was stored has found nobody to wake.
        if Task.isCancelled { wake() }
      }
    } onCancel: {
      wake()
    }
  }

  private func wake() {
    state.withLock { state in
      defer { state.waiter = nil }
      return state.waiter
    }?.resume()
  }

  // MARK: Producers

  enum Offer { case taken, full, closed }

  func offer(request ticket: Ticket, from: ActorAddress, body: [UInt8]) -> Offer {
    offer(.request(ticket, from: from, body: body), wantsRoomSignal: false)
  }

  func offer(publication: Delivery) -> Offer { offer(publication, wantsRoomSignal: true) }

  private func offer(_ delivery: Delivery, wantsRoomSignal: Bool) -> Offer {
    let (offer, waiter) = state.withLock { state -> (Offer, CheckedContinuation<Void, Never>?) in
      if state.isClosed { return (.closed, nil) }
      guard state.occupied < capacity else {
        if wantsRoomSignal { state.wantsRoomSignal = true }
        return (.full, nil)
      }
      state.items.append(delivery)
      defer { state.waiter = nil }
      return (.taken, state.waiter)
    }
    waiter?.resume()
    return offer
  }

  /// Takes a place for a response that will be asked for.
  func reserveResponse() -> Bool {
    state.withLock { state in
      guard !state.isClosed, state.owedResponses + state.queuedResponses < capacity else { return false }
      state.owedResponses += 1
      return true
    }
  }

  /// Gives the place back: the request was never made.
  func releaseResponse() { state.withLock { $0.owedResponses -= 1 } }

  func deliver(response number: UInt64, _ result: Result<[UInt8], RemoteError>) {
    state.withLock { state -> CheckedContinuation<Void, Never>? in
      state.owedResponses -= 1
      if state.isClosed { return nil }
      state.queuedResponses += 1
      state.items.append(.response(number, result))
      defer { state.waiter = nil }
      return state.waiter
    }?.resume()
  }

  var isClosed: Bool { state.withLock { $0.isClosed } }

  /// Nothing more comes in; what is there can still be taken.
  func close() {
    state.withLock { state in
      state.isClosed = true
      defer { state.waiter = nil }
      return state.waiter
    }?.resume()
  }
}
