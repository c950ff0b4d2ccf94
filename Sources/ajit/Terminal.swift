import Foundation
import Glibc

/// Where people read: width, colour, and a region at the bottom that is drawn again in place.
struct Terminal {
  enum Style: String {
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

  /// Columns assumed when the terminal does not say.
  static let defaultWidth = 100

  init(environment: [String: String] = ProcessInfo.processInfo.environment) {
    isInteractive = isatty(STDOUT_FILENO) == 1 && environment["TERM"] != "dumb" && environment["TERM"] != nil
    hasColour = isInteractive && environment["NO_COLOR", default: ""].isEmpty
  }

  var width: Int {
    var size = winsize()
    guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return Self.defaultWidth }
    return Int(size.ws_col)
  }

  func styled(_ text: String, _ style: Style) -> String {
    hasColour && style != .plain ? "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m" : text
  }

  static func printError(_ text: String) {
    FileHandle.standardError.write(Data("ajit: \(text)\n".utf8))
  }

  static func write(_ text: String) {
    FileHandle.standardOutput.write(Data(text.utf8))
  }
}

/// A block of lines at the bottom of the screen that is replaced as a whole, in one write, so that it does not
/// flicker. Lines printed meanwhile scroll above it.
struct LiveRegion {
  private var drawn = 0

  /// Replaces the region by `lines`, with `above` printed for good before it. Lines must fit the width.
  mutating func draw(_ lines: [String], above: [String] = []) {
    var output = "\u{1B}[?25l"
    if drawn > 0 { output += "\u{1B}[\(drawn)A" }
    output += "\r"
    for line in above { output += "\u{1B}[2K\(line)\n" }
    for line in lines { output += "\u{1B}[2K\(line)\n" }
    output += "\u{1B}[J\u{1B}[?25h"
    drawn = lines.count
    Terminal.write(output)
  }
}
