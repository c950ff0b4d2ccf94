import Foundation
import Glibc

/// Where people read: how wide it is, whether its cursor moves, whether it shows colours.
struct Terminal: Sendable {
  enum Style: String, Sendable {
    case plain = "0"
    case bold = "1"
    case dim = "2"
    case red = "31"
    case green = "32"
    case yellow = "33"
    case cyan = "36"
  }

  /// Whether stdout is a terminal that can move its cursor.
  let isInteractive: Bool
  let hasColour: Bool

  /// Columns and rows assumed when the terminal does not say.
  static let defaultWidth = 100
  static let defaultHeight = 24

  /// Colour as https://no-color.org asks: any non-empty `NO_COLOR` turns it off.
  init(
    environment: [String: String] = ProcessInfo.processInfo.environment, isTerminal: Bool = isatty(STDOUT_FILENO) == 1
  ) {
    isInteractive = isTerminal && environment["TERM"] != nil && environment["TERM"] != "dumb"
    hasColour = isInteractive && environment["NO_COLOR", default: ""].isEmpty
  }

  var size: (width: Int, height: Int) {
    var size = winsize()
    guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
      return (Self.defaultWidth, Self.defaultHeight)
    }
    return (Int(size.ws_col), Int(size.ws_row))
  }

  /// Room for tables: the terminal's width; in a file or a pipe nothing needs to be cut.
  var tableWidth: Int { isInteractive ? size.width : .max }

  func styled(_ text: String, _ style: Style) -> String {
    hasColour && style != .plain && !text.isEmpty ? "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m" : text
  }

  /// One line on stderr: what, where, and what to do.
  static func printError(_ text: String) {
    FileHandle.standardError.write(Data("ajit: \(text)\n".utf8))
  }

  /// Several lines that carry their own place, on stderr.
  static func printDiagnostics(_ text: String) {
    FileHandle.standardError.write(Data("\(text)\n".utf8))
  }

  static func write(lines: [String]) {
    write(lines.map { $0 + "\n" }.joined())
  }

  static func write(_ text: String) {
    FileHandle.standardOutput.write(Data(text.utf8))
  }
}
