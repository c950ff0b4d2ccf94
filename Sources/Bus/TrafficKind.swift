import Messages

/// What a message on the bus is, as far as it tells without being decoded: the form that its frames have, and the
/// number that its body begins with.
public struct TrafficKind: Hashable, Sendable {
  public enum Form: String, CaseIterable, Sendable {
    // Of the grammar in `BusFrames`
    case call, answer, refusal, fetch, fetched, publication, announcement
    /// Of the data plane, beside the bus.
    case datagram
    /// Frames that follow no grammar: nobody knows what they were to be.
    case unreadable
  }

  public enum Subject: Hashable, Sendable {
    case nothing
    case message(Message.Kind)
    case consensus(ConsensusMessage.Kind)
    /// Of what is fetched or announced.
    case topic(Topic)

    /// By the body's first bytes; whether the rest is any good shows elsewhere.
    init(of body: [UInt8]) {
      guard let head = try? MessageHead(of: body) else {
        self = .nothing
        return
      }
      if let kind = UInt8(exactly: head.kind).flatMap({ ConsensusMessage.Kind(rawValue: $0) }) {
        self = .consensus(kind)
      } else {
        self = UInt8(exactly: head.number).flatMap { Message.Kind(rawValue: $0) }.map { .message($0) } ?? .nothing
      }
    }
  }

  public let form: Form
  public let subject: Subject
  /// Between actors of one process. Everything else has left it, if only for another process of this host.
  public let isInside: Bool
  /// A client asks or is answered: somebody who looks on, such as `ajit up` itself when it checks the ledger. The
  /// consortium would do without.
  public let isForClient: Bool

  init(_ form: Form, _ subject: Subject = .nothing, isInside: Bool, isForClient: Bool = false) {
    self.form = form
    self.subject = subject
    self.isInside = isInside
    self.isForClient = isForClient
  }

  /// UDP, wherever it goes, passes the kernel.
  public static let datagram = TrafficKind(.datagram, isInside: false)
}

/// One word, of which every kind has its own: `between.call.openFlow`, `inside.publication.consensus.vote`,
/// `between.client.answer.consensus.segments`.
extension TrafficKind: LosslessStringConvertible {
  private static let inside: Substring = "inside"
  private static let between: Substring = "between"
  private static let client: Substring = "client"

  public var description: String {
    let place = [isInside ? Self.inside : Self.between] + (isForClient ? [Self.client] : [])
    return (place + [Substring(form.rawValue)] + subject.words).joined(separator: ".")
  }

  public init?(_ description: String) {
    var words = description.split(separator: ".", omittingEmptySubsequences: false)[...]
    guard let place = words.popFirst(), place == Self.inside || place == Self.between else { return nil }
    isInside = place == Self.inside
    isForClient = words.first == Self.client
    if isForClient { words.removeFirst() }
    guard let form = words.popFirst().flatMap({ Form(rawValue: String($0)) }),
      let subject = Subject(words: Array(words))
    else { return nil }
    self.form = form
    self.subject = subject
  }

  /// The same without where it went, which a table has a column for.
  public var name: String { description.split(separator: ".").dropFirst().joined(separator: ".") }
}

extension TrafficKind.Subject {
  private static let bySpelling: [[Substring]: Self] = {
    let all: [Self] =
      [.nothing] + Message.Kind.allCases.map { .message($0) } + ConsensusMessage.Kind.allCases.map { .consensus($0) }
      + Topic.allCases.map { .topic($0) }
    return Dictionary(uniqueKeysWithValues: all.map { ($0.words, $0) })
  }()

  fileprivate var words: [Substring] {
    switch self {
    case .nothing: []
    case .message(let kind): ["\(kind)"]
    case .consensus(let kind): ["consensus", "\(kind)"]
    case .topic(let topic): ["topic", "\(topic)"]
    }
  }

  fileprivate init?(words: [Substring]) {
    guard let subject = Self.bySpelling[words] else { return nil }
    self = subject
  }
}
