import CZeroMQ

/// Every libzmq socket option this system sets, in one place (zmq_setsockopt(3)).
///
/// Not configurable: `ROUTER_MANDATORY` = 1 (an answer nobody can get is counted, not swallowed), `IMMEDIATE` = 1 on
/// DEALER (queue only on completed connections: a request to an absent peer waits in our bounded queue and ends as
/// `.unavailable`, and none is carried out after a reconnection its asker no longer waits for), `IPV6` = 0, `LINGER` =
/// 0 until shutdown sets ``flushMs``, and `ROUTER_HANDOVER` stays 0 (a second connection cannot take over the identity
/// of a first).
///
/// `HEARTBEAT_IVL` stays 0: the kernel's keep-alive finds dead peers instead. libzmq 4.3.4 ends the *process*
/// (`Assertion failed: !_io_error`, stream_engine_base.cpp) when its heartbeat timer fires on a connection that was
/// closed by the other side while the receive queue was full, which is what a peer leaves that floods and goes. What
/// remains: an enrolled peer that floods, mixes its own ZMTP PINGs in and hangs up can still reach that assertion; its
/// key is known and can be revoked, and the process comes back as after any kill.
public struct SocketOptions: Sendable {
  /// `SNDHWM`, messages per connection: a full request connection makes requests wait in the peer's queue, a full
  /// answer connection drops the answer and counts it, a full publication connection drops (subscribers fetch).
  public var sendHighWaterMessages: Int32 = 8_192
  /// `RCVHWM`, messages per connection: beyond it the sender is no longer read.
  public var receiveHighWaterMessages: Int32 = 8_192
  /// `TCP_KEEPALIVE_IDLE`, `TCP_KEEPALIVE_INTVL` and `TCP_KEEPALIVE_CNT` (tcp(7)): seconds of silence until the kernel
  /// asks whether the other side is there, seconds between such questions, and how many go unanswered before the
  /// connection is closed.
  public var keepAliveIdleSeconds: Int32 = 4
  public var keepAliveIntervalSeconds: Int32 = 2
  public var keepAliveCount: Int32 = 3
  /// `TCP_MAXRT`, milliseconds: what was sent and is not acknowledged for so long closes the connection.
  public var unacknowledgedMs: Int32 = 9_000
  /// `HANDSHAKE_IVL`, milliseconds for the whole ZMTP and CURVE handshake.
  public var handshakeMs: Int32 = 5_000
  /// `RECONNECT_IVL`, milliseconds before the first attempt to connect again.
  public var reconnectMs: Int32 = 50
  /// `RECONNECT_IVL_MAX`, milliseconds: the pause doubles up to this.
  public var reconnectMaximumMs: Int32 = 2_000
  /// `LINGER` at shutdown, milliseconds: how long answers already given may take to leave.
  public var flushMs: Int32 = 250
  /// Not libzmq's: milliseconds between the last answer or publication and the closing of its socket at shutdown. With
  /// `IMMEDIATE`, the end of a connection throws away what the asker's libzmq has received and its program not yet
  /// taken (3 % of last answers in a trial), so the other side gets this time to take it.
  public var settleMs: Int64 = 100
  /// `BACKLOG`, connections not yet accepted.
  public var backlog: Int32 = 256

  public init() {}

  /// The part of a frame that is not the body: libzmq closes a connection that announces a frame above
  /// `MAXMSGSIZE`, which is the body limit plus this. Bodies in between are refused by us, with an answer.
  static let headerRoomBytes = 64 << 10

  /// - Parameter maximumBodyBytes: ``BusLimits/maximumBodyBytes``.
  func apply(to socket: Socket, maximumBodyBytes: Int) throws(BusError) {
    try socket.set(ZMQ_LINGER, 0)
    try socket.set(ZMQ_MAXMSGSIZE, wide: Int64(maximumBodyBytes) + Int64(Self.headerRoomBytes))
    try socket.set(ZMQ_SNDHWM, sendHighWaterMessages)
    try socket.set(ZMQ_RCVHWM, receiveHighWaterMessages)
    try socket.set(ZMQ_HEARTBEAT_IVL, 0)
    try socket.set(ZMQ_TCP_KEEPALIVE, 1)
    try socket.set(ZMQ_TCP_KEEPALIVE_IDLE, keepAliveIdleSeconds)
    try socket.set(ZMQ_TCP_KEEPALIVE_INTVL, keepAliveIntervalSeconds)
    try socket.set(ZMQ_TCP_KEEPALIVE_CNT, keepAliveCount)
    try socket.set(ZMQ_TCP_MAXRT, unacknowledgedMs)
    try socket.set(ZMQ_HANDSHAKE_IVL, handshakeMs)
    try socket.set(ZMQ_RECONNECT_IVL, reconnectMs)
    try socket.set(ZMQ_RECONNECT_IVL_MAX, reconnectMaximumMs)
    try socket.set(ZMQ_BACKLOG, backlog)
    try socket.set(ZMQ_IPV6, 0)
    if socket.kind == .router { try socket.set(ZMQ_ROUTER_MANDATORY, 1) }
    if socket.kind == .dealer { try socket.set(ZMQ_IMMEDIATE, 1) }
  }
}
