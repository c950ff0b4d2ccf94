import Glibc

/// The one thread that owns every socket of a bus. It builds the ``Switchboard`` itself and never gives out a
/// reference, so isolation needs no lock and no executor: what the thread knows, only the thread can touch.
///
/// A thread of its own because libzmq sockets must stay on one thread and `zmq_poll` blocks, which a thread of
/// Swift's cooperative pool must not. (`ZMQ_FD` with a Dispatch source is edge-triggered and loses wake-ups.)
enum SocketThread {
  private final class Start {
    let switchboard: Switchboard
    init(_ switchboard: Switchboard) { self.switchboard = switchboard }
  }

  /// Makes the sockets here, so that what goes wrong is thrown, then hands them over; libzmq allows moving a socket
  /// to another thread with a full fence between, which `pthread_create` is.
  static func start(configuration: BusConfiguration, queue: CommandQueue) throws(BusError) {
    let start = unsafe Unmanaged.passRetained(Start(try Switchboard(configuration: configuration, queue: queue)))
    var thread = pthread_t()
    let code = unsafe pthread_create(
      &thread, nil,
      { argument in
        guard let argument = unsafe argument else { return nil }
        unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().switchboard.run()
        return nil
      }, start.toOpaque())
    guard code == 0 else {
      unsafe start.takeRetainedValue().switchboard.tearDown()
      throw .system("pthread_create: \(systemReason(code))")
    }
    pthread_detach(thread)
  }
}
