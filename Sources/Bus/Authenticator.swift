import CZeroMQ

/// Decides who may connect over CURVE: the handler of ZAP (ZeroMQ RFC 27) on the socket thread. A connection whose key
/// is enrolled gets, as its User-Id, the number of that enrolment; libzmq then attaches it to every message. Numbers
/// are never used again, so a connection from before its key was revoked is recognised as one of nobody's.
final class Authenticator {
  static let domain = "ajit"
  private static let endpoint = "inproc://zeromq.zap.01"
  private static let version = Array("1.0".utf8)
  /// identity, empty, version, request id, domain, address, identity, mechanism, credentials.
  private static let frames = 9

  let socket: Socket
  private let limit: Int
  private var lastNumber = 0
  private var numberOfKey: [CurvePublicKey: Int] = [:]
  private var claims: [Int: Claims] = [:]

  init(_ context: SocketContext, _ configuration: BusConfiguration) throws(BusError) {
    limit = configuration.limits.maximumAdmissions
    socket = try Socket(context, .router)
    try socket.set(ZMQ_LINGER, 0)
    let code = socket.bind(Self.endpoint)
    guard code == 0 else { throw .system("\(Self.endpoint): \(systemReason(code))") }
    // Two admissions of one key: the first counts, so that a key means one thing.
    for admission in configuration.admissions where numberOfKey[admission.key] == nil { try admit(admission) }
  }

  /// From now on the key may connect and claim just these. A connection that it has keeps working under the new claims.
  func admit(_ admission: Admission) throws(BusError) {
    if let number = numberOfKey[admission.key] {
      claims[number] = admission.claims
      return
    }
    guard claims.count < limit else { throw .limitReached("maximumAdmissions") }
    lastNumber += 1
    numberOfKey[admission.key] = lastNumber
    claims[lastNumber] = admission.claims
  }

  func revoke(_ key: CurvePublicKey) {
    if let number = numberOfKey.removeValue(forKey: key) { claims[number] = nil }
  }

  /// - Parameter userID: as libzmq attached it.
  /// - Returns: nil for a connection without one, or of a key that was revoked since.
  func claims(_ userID: String?) -> Claims? { userID.flatMap { Int($0) }.flatMap { claims[$0] } }

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
