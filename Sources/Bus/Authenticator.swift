import CZeroMQ

/// Decides who may connect over CURVE: the handler of ZAP (ZeroMQ RFC 27) on the socket thread. A connection whose key
/// is enrolled gets, as its User-Id, the number of its ``Admission``; libzmq then attaches it to every message.
final class Authenticator {
  static let domain = "ajit"
  private static let endpoint = "inproc://zeromq.zap.01"
  private static let version = Array("1.0".utf8)
  /// identity, empty, version, request id, domain, address, identity, mechanism, credentials.
  private static let frames = 9

  let socket: Socket
  private let admissions: [Admission]
  private let numberOfKey: [CurvePublicKey: Int]

  init(_ context: SocketContext, admissions: [Admission]) throws(BusError) {
    self.admissions = admissions
    // Two admissions of one key: the first counts, so that a key means one thing.
    numberOfKey = Dictionary(admissions.enumerated().map { ($1.key, $0) }, uniquingKeysWith: { first, _ in first })
    socket = try Socket(context, .router)
    try socket.set(ZMQ_LINGER, 0)
    let code = socket.bind(Self.endpoint)
    guard code == 0 else { throw .system("\(Self.endpoint): \(systemReason(code))") }
  }

  /// - Parameter userID: as libzmq attached it.
  func admission(_ userID: String?) -> Admission? {
    guard let userID, let number = Int(userID), admissions.indices.contains(number) else { return nil }
    return admissions[number]
  }

  /// Answers one waiting question.
  /// - Returns: nil when none waits, else whether the key was admitted.
  func answerOne() -> Bool? {
    guard let question = socket.receive(maximumFrames: Self.frames, maximumFrameBytes: 4096) else { return nil }
    let frames = question.frames
    guard frames.count >= 4 else { return false }
    let number: Int? =
      if frames.count == Self.frames, !question.isMalformed, frames[2] == Self.version,
        frames[7] == Array("CURVE".utf8), let key = CurvePublicKey(frames[8])
      { numberOfKey[key] } else { nil }
    let (status, text, userID) = number.map { ("200", "OK", String($0)) } ?? ("400", "key not enrolled", "")
    _ = socket.send(
      frames[0], [], Self.version, frames[3], Array(status.utf8), Array(text.utf8), Array(userID.utf8), [])
    return number != nil
  }
}
