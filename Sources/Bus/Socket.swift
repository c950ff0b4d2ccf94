import CZeroMQ
import Glibc

/// libzmq's text for the calling thread's errno.
func systemReason(_ code: Int32 = zmq_errno()) -> String {
  guard let text = unsafe zmq_strerror(code) else { return "error \(code)" }
  return unsafe String(cString: text)
}

/// A libzmq context. Every socket keeps it alive; it is terminated on the socket thread when all are closed.
@safe final class SocketContext {
  fileprivate let handle: UnsafeMutableRawPointer
  private var isOpen = true

  init() throws(BusError) {
    guard let handle = unsafe zmq_ctx_new() else { throw .system("zmq_ctx_new: \(systemReason())") }
    unsafe self.handle = handle
    // One I/O thread moves more than the one socket thread can use.
    _ = unsafe zmq_ctx_set(handle, ZMQ_IO_THREADS, 1)
  }

  /// Waits until every socket's lingering messages have left or their time is over.
  func terminate() {
    guard isOpen else { return }
    isOpen = false
    while unsafe zmq_ctx_term(handle) != 0, zmq_errno() == EINTR {}
  }

  deinit { terminate() }
}

/// One libzmq socket. Used and closed on the socket thread only.
@safe final class Socket {
  enum Kind { case dealer, router, publisher, subscriber }

  enum Sent { case accepted, full, unreachable }

  /// One whole multipart message.
  struct Incoming {
    var frames: [[UInt8]]
    /// Of all its frames, those thrown away included, but not of the identity that a ROUTER puts in front.
    var bytes: Int
    /// What ZAP said about the connection (`User-Id`); nil without CURVE.
    var userID: String?
    /// More frames than the grammar has, or a frame longer than its limit: the rest was thrown away.
    var isMalformed: Bool
    var isOversize: Bool
  }

  let kind: Kind
  private let context: SocketContext
  private let handle: UnsafeMutableRawPointer
  private var part = zmq_msg_t()
  private var isOpen = true

  init(_ context: SocketContext, _ kind: Kind) throws(BusError) {
    let type =
      switch kind {
      case .dealer: ZMQ_DEALER
      case .router: ZMQ_ROUTER
      case .publisher: ZMQ_PUB
      case .subscriber: ZMQ_SUB
      }
    guard let handle = unsafe zmq_socket(context.handle, type) else { throw .system("zmq_socket: \(systemReason())") }
    unsafe self.handle = handle
    self.kind = kind
    self.context = context
  }

  deinit { close() }

  func close() {
    guard isOpen else { return }
    isOpen = false
    _ = unsafe zmq_close(handle)
  }

  // MARK: Options and addresses

  func set(_ option: Int32, _ value: Int32) throws(BusError) {
    var value = value
    guard unsafe zmq_setsockopt(handle, option, &value, MemoryLayout<Int32>.size) == 0 else {
      throw .system("socket option \(option) = \(value): \(systemReason())")
    }
  }

  func set(_ option: Int32, wide value: Int64) throws(BusError) {
    var value = value
    guard unsafe zmq_setsockopt(handle, option, &value, MemoryLayout<Int64>.size) == 0 else {
      throw .system("socket option \(option) = \(value): \(systemReason())")
    }
  }

  func set(_ option: Int32, _ bytes: [UInt8]) throws(BusError) {
    guard unsafe zmq_setsockopt(handle, option, bytes, bytes.count) == 0 else {
      throw .system("socket option \(option): \(systemReason())")
    }
  }

  func set(_ option: Int32, secret: CurveSecretKey) throws(BusError) {
    let code = unsafe secret.withBytes { unsafe zmq_setsockopt(handle, option, $0.baseAddress, $0.count) }
    guard code == 0 else { throw .system("socket option \(option): \(systemReason())") }
  }

  /// - Returns: 0 or the errno.
  func bind(_ address: String) -> Int32 { unsafe zmq_bind(handle, address) == 0 ? 0 : zmq_errno() }
  func connect(_ address: String) -> Int32 { unsafe zmq_connect(handle, address) == 0 ? 0 : zmq_errno() }
  func disconnect(_ address: String) { _ = unsafe zmq_disconnect(handle, address) }

  /// The address last bound, with the port the system chose.
  var lastEndpoint: String? {
    var text = [CChar](repeating: 0, count: 512)
    var count = text.count
    guard unsafe zmq_getsockopt(handle, ZMQ_LAST_ENDPOINT, &text, &count) == 0 else { return nil }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  func pollItem(for events: Int32) -> zmq_pollitem_t {
    unsafe zmq_pollitem_t(socket: handle, fd: 0, events: Int16(events), revents: 0)
  }

  // MARK: Messages

  /// Sends all frames or none, without waiting.
  func send(_ frames: [UInt8]..., body: [UInt8]? = nil) -> Sent {
    for (index, frame) in frames.enumerated() {
      let isLast = body == nil && index == frames.count - 1
      let sent = send(frame, more: !isLast)
      // libzmq refuses at the first frame or not at all: a message is never left half sent.
      if sent != .accepted { return sent }
    }
    guard let body else { return .accepted }
    return send(body, more: false)
  }

  private func send(_ frame: [UInt8], more: Bool) -> Sent {
    let flags = more ? ZMQ_DONTWAIT | ZMQ_SNDMORE : ZMQ_DONTWAIT
    while true {
      if unsafe zmq_send(handle, frame, frame.count, flags) >= 0 { return .accepted }
      switch zmq_errno() {
      case EINTR: continue
      case EAGAIN: return .full
      default: return .unreachable
      }
    }
  }

  /// - Parameters:
  ///   - maximumFrames: what the grammar allows, identity included.
  ///   - maximumFrameBytes: the body's limit; `inproc` has no `MAXMSGSIZE`.
  /// - Returns: nil when nothing waits.
  func receive(maximumFrames: Int, maximumFrameBytes: Int) -> Incoming? {
    guard receivePart() else { return nil }
    var message = Incoming(frames: [], bytes: 0, userID: nil, isMalformed: false, isOversize: false)
    message.frames.reserveCapacity(maximumFrames)
    while true {
      if kind == .router, message.frames.count == 1, let text = unsafe zmq_msg_gets(&part, "User-Id") {
        unsafe message.userID = String(cString: text)
      }
      let count = unsafe zmq_msg_size(&part)
      if kind != .router || !message.frames.isEmpty { message.bytes += count }
      if message.frames.count == maximumFrames {
        message.isMalformed = true
      } else if count > maximumFrameBytes {
        message.isOversize = true
        message.frames.append([])
      } else {
        message.frames.append(unsafe Array(UnsafeRawBufferPointer(start: zmq_msg_data(&part), count: count)))
      }
      let hasMore = unsafe zmq_msg_more(&part) != 0
      _ = unsafe zmq_msg_close(&part)
      // The parts of one message arrive together (zmq_msg_recv(3)), so the next one is there.
      guard hasMore, receivePart() else { return message }
    }
  }

  private func receivePart() -> Bool {
    while true {
      _ = unsafe zmq_msg_init(&part)
      if unsafe zmq_msg_recv(&part, handle, ZMQ_DONTWAIT) >= 0 { return true }
      let code = zmq_errno()
      _ = unsafe zmq_msg_close(&part)
      if code != EINTR { return false }
    }
  }
}
