import Effects
import Synchronization

/// What has arrived at one port and waits for its role: one writer, one reader, in order, bounded by bytes, so that
/// whoever floods a port costs no more memory than that. When it is full the newest are dropped: a role that has fallen
/// behind catches up with the oldest, whose times it can still use.
final class DatagramQueue: Sendable {
  fileprivate struct State {
    var waiting: [Datagram] = []
    var bytes = 0
    var reader: CheckedContinuation<[Datagram]?, Never>?
    var isFinished = false
  }

  /// Bytes that may wait at one port, bookkeeping included.
  static let maximumBytes = 16 << 20
  /// What a datagram takes beside its own bytes: two addresses, a time, an array's head and allocation.
  static let overheadBytes = 128

  private let state = Mutex(State())

  /// - Returns: how many found no room.
  func add(_ datagrams: [Datagram]) -> Int {
    let (reader, batch, dropped) = state.withLock { state in
      var dropped = 0
      if state.isFinished { return (nil as CheckedContinuation<[Datagram]?, Never>?, [Datagram](), datagrams.count) }
      for datagram in datagrams {
        let bytes = datagram.bytes.count + Self.overheadBytes
        guard state.bytes + bytes <= Self.maximumBytes else {
          dropped += 1
          continue
        }
        state.bytes += bytes
        state.waiting.append(datagram)
      }
      guard let reader = state.reader else { return (nil, [], dropped) }
      state.reader = nil
      return (reader, state.takeAll(), dropped)
    }
    reader?.resume(returning: batch)
    return dropped
  }

  /// After what waits, the end.
  func finish() {
    state.withLock { state in
      state.isFinished = true
      defer { state.reader = nil }
      return state.reader
    }?.resume(returning: nil)
  }

  /// Everything that has arrived, as soon as there is something; nil at the end or when the task is cancelled.
  func next() async -> [Datagram]? {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let answer: [Datagram]?? = state.withLock { state in
          if !state.waiting.isEmpty { return .some(state.takeAll()) }
          // Looked at under the lock that a cancellation has to take, too: one of the two sees the other.
          if state.isFinished || state.reader != nil || Task.isCancelled { return .some(nil) }
          state.reader = continuation
          return nil
        }
        if let answer { continuation.resume(returning: answer) }
      }
    } onCancel: {
      state.withLock { state in
        defer { state.reader = nil }
        return state.reader
      }?.resume(returning: nil)
    }
  }

  /// The same as a stream, for its one reader.
  var stream: AsyncStream<[Datagram]> { AsyncStream { await self.next() } }
}

extension DatagramQueue.State {
  fileprivate mutating func takeAll() -> [Datagram] {
    defer {
      waiting = []
      bytes = 0
    }
    return waiting
  }
}
