import Logging
import Synchronization

/// Takes the node's log lines to the screen, where they scroll above the live table, instead of through it. Bounded:
/// when the screen is too slow the newest lines are dropped.
struct ScreenLog: LogHandler {
  private let sink: AsyncStream<Line>.Continuation
  private let label: String
  var logLevel: Logger.Level
  var metadata: Logger.Metadata = [:]
  var metadataProvider: Logger.MetadataProvider?

  struct Line: Sendable {
    let level: Logger.Level
    let text: String
  }

  static let maximumBufferedLines = 4096

  static func makeStream() -> (stream: AsyncStream<Line>, continuation: AsyncStream<Line>.Continuation) {
    AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(maximumBufferedLines))
  }

  init(label: String, level: Logger.Level, sink: AsyncStream<Line>.Continuation) {
    self.label = label
    logLevel = level
    self.sink = sink
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
    let details = all.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    sink.yield(Line(level: event.level, text: (["\(event.message)"] + details).joined(separator: " ")))
  }
}
