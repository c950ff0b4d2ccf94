import Wire

/// Why a request got no answer. Sent on the bus as code and text; the codes are CAMARA's names where one fits.
public struct RemoteError: Error, Hashable, Sendable, WireCodable, CustomStringConvertible {
  public enum Code: UInt8, Sendable, CaseIterable {
    /// The asker's deadline passed. Made by the asker's own side.
    case deadlineExceeded = 1
    /// Nobody is reachable under that address. Retry later.
    case unavailable = 2
    /// The receiver's mailbox is full (TOO_MANY_REQUESTS). Retry later, slower.
    case tooManyRequests = 3
    /// The request is malformed or makes no sense (INVALID_ARGUMENT). Do not repeat it.
    case invalidArgument = 4
    case permissionDenied = 5
    case notFound = 6
    /// Right request, wrong time: the text says what must happen first.
    case failedPrecondition = 7
    /// The asker cancelled.
    case cancelled = 8
    /// The receiver does not answer this kind of request.
    case unimplemented = 9
  }

  public static let maximumTextBytes = 512

  public let code: Code
  public let text: String

  public init(_ code: Code, _ text: String = "") {
    self.code = code
    self.text = text
  }

  public var description: String { text.isEmpty ? "\(code)" : "\(code): \(text)" }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(UInt64(code.rawValue))
    writer.write(text)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    (code, text) = try reader.record(2) { (reader) throws(WireError) in
      guard let code = Code(rawValue: try reader.uint(UInt8.self, field: "code")) else {
        throw .invalidValue(field: "code")
      }
      return (code, try reader.text(maximum: Self.maximumTextBytes))
    }
  }
}
