import CZeroMQ

/// What one `zmq_poll` waits for, rebuilt each round in memory that is kept.
@safe struct PollSet {
  private var items: [zmq_pollitem_t] = unsafe []

  mutating func removeAll() { unsafe items.removeAll(keepingCapacity: true) }

  mutating func add(descriptor: Int32) {
    unsafe items.append(zmq_pollitem_t(socket: nil, fd: descriptor, events: Int16(ZMQ_POLLIN), revents: 0))
  }

  mutating func add(_ socket: Socket, alsoWritable: Bool = false) {
    unsafe items.append(socket.pollItem(for: alsoWritable ? ZMQ_POLLIN | ZMQ_POLLOUT : ZMQ_POLLIN))
  }

  /// - Parameter timeoutMs: -1 waits for ever. Interrupted or timed out, nothing is marked ready.
  mutating func wait(timeoutMs: Int) {
    if unsafe zmq_poll(&items, Int32(items.count), timeoutMs) < 0 {
      for index in unsafe items.indices { unsafe items[index].revents = 0 }
    }
  }

  /// In the order added.
  func isReadable(_ index: Int) -> Bool { unsafe items[index].revents & Int16(ZMQ_POLLIN | ZMQ_POLLERR) != 0 }
}
