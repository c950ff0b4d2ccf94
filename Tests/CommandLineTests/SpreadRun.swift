import Foundation
import Testing

/// A spread consortium under way, and what its lines have told so far.
final class SpreadRun {
  struct Ended: Error {
    var errors = ""
  }

  let program: Running
  /// By node: its process, once it is of use.
  private(set) var processes: [String: Int32] = [:]
  private(set) var hasRecorded = false
  /// All nodes are there.
  private(set) var isRunning = false
  /// By height: transactions of every block that was said to be FINAL.
  private(set) var blocks: [Int: Int] = [:]
  /// From the end of a process to the moment its successor answers, by node.
  private(set) var returns: [(node: String, ms: Int)] = []
  private(set) var result: [String: Any]?
  /// When each that is away ended.
  private var endings: [String: Int] = [:]
  var areAllBack: Bool { endings.isEmpty }

  /// - Parameter isEndless: it runs until it is stopped.
  init(_ file: String, _ data: String, isEndless: Bool = false, _ options: String...) throws {
    let end = isEndless ? [] : ["--until-settled"]
    program = try Program.start(["up", file, "--spread", "--data", data, "--json"] + end + options)
  }

  static func object(_ line: String) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
  }

  /// Reads lines until something holds.
  /// - Throws: ``Ended`` when the program ended before.
  func until(_ holds: (SpreadRun) -> Bool) throws {
    while !holds(self) { guard try step() != .ended else { throw Ended(errors: try program.outcome().errors) } }
  }

  enum Step { case took, nothing, ended }

  /// Takes a line if one comes in time.
  func step(within milliseconds: Int32? = nil) throws -> Step {
    switch program.next(within: milliseconds) {
    case .nothing: return .nothing
    case .ended: return .ended
    case .line(let line):
      take(try Self.object(line))
      return .took
    }
  }

  private func take(_ line: [String: Any]) {
    let elapsed = line["elapsedMs"] as? Int ?? 0
    if let node = line["node"] as? [String: Any], let name = node["name"] as? String {
      switch node["state"] as? String {
      case "answering":
        processes[name] = (node["process"] as? Int).map { Int32($0) }
        if let ended = endings.removeValue(forKey: name) { returns.append((name, elapsed - ended)) }
      case "ended":
        processes[name] = nil
        endings[name] = elapsed
      default: break
      }
    }
    switch line["type"] as? String {
    case "epoch": hasRecorded = true
    case "phase": isRunning = isRunning || (line["text"] as? String)?.hasPrefix("running") == true
    case "block":
      if let height = line["height"] as? Int, let count = line["transactions"] as? Int { blocks[height] = count }
    case "result": result = line
    default: break
    }
  }

  /// Processes of enclaves: children of the nodes, listed by the thread that started them (proc(5)).
  var enclaves: [Int32] {
    processes.values.sorted().flatMap { process -> [Int32] in
      let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task")) ?? []
      return threads.flatMap { thread -> [Int32] in
        let path = "/proc/\(process)/task/\(thread)/children"
        return ((try? String(contentsOfFile: path, encoding: .utf8)) ?? "").split(separator: " ").compactMap {
          Int32($0)
        }
      }
    }.sorted()
  }
}
