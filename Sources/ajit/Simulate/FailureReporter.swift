import Foundation
import Messages
import Simulator
import Topology

/// What is said of a seed that failed, and the small schedule that is left behind.
struct FailureReporter {
  struct Options {
    /// For any command that shows it again.
    let always: [String]
    /// Only where the schedule is drawn, and not written.
    let chaos: [String]
  }

  private let trial: Trial
  private let file: String
  private let text: [UInt8]
  private let directory: String
  private let options: Options

  /// - Parameters:
  ///   - text: of the topology file.
  ///   - directory: for schedules that were made small.
  init(_ trial: Trial, file: String, text: [UInt8], directory: String, options: Options) {
    self.trial = trial
    self.file = file
    self.text = text
    self.directory = directory
    self.options = options
  }

  /// - Returns: nil when nothing failed.
  func failure(_ outcome: Trial.Outcome) throws -> FailureLine? {
    guard let failure = outcome.failure else { return nil }
    var line = FailureLine(
      seed: outcome.seed, traceHash: outcome.result.traceHash.hexadecimal, violated: failure.description,
      replay: command(file, outcome.seed, options.always + options.chaos))
    guard !outcome.faults.isEmpty else { return line }
    let shrinking = try trial.shrink(outcome)
    let remarks = [
      "Seed \(outcome.seed) fails with \(shrinking.faults.count) of \(outcome.faults.count) faults"
        + (shrinking.isCutShort ? ", and perhaps with fewer" : "") + ": " + failure.description,
      "\(shrinking.reruns) reruns found them. Again:",
    ]
    let path = "\(directory)/\(trial.topology.name)-\(outcome.seed).yaml"
    let again = command(path, outcome.seed, options.always)
    let schedule = FaultSection.replace(
      in: String(decoding: text, as: UTF8.self), by: shrinking.faults, remarks: remarks + ["  " + again])
    do {
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
      try Data(schedule.utf8).write(to: URL(filePath: path), options: .atomic)
    } catch {
      throw CommandFailure(.inputOutput, "\(path) cannot be written (\(error.localizedDescription)): check the disk")
    }
    line.schedule = path
    line.faults = shrinking.faults.count
    line.faultsBefore = outcome.faults.count
    line.replaySchedule = again
    return line
  }

  private func command(_ file: String, _ seed: UInt64, _ options: [String]) -> String {
    (["ajit", "simulate", file, "--seed", "\(seed)"] + options).joined(separator: " ")
  }
}

/// One seed that failed, in `failures` of the last line of `simulate --json`.
struct FailureLine: Encodable {
  let seed: UInt64
  let traceHash: String
  /// What did not hold first.
  let violated: String
  /// The command that shows it again.
  let replay: String
  /// The topology file with as few faults as were found to do; null when there were none.
  @Nullable var schedule: String?
  @Nullable var faults: Int?
  @Nullable var faultsBefore: Int?
  @Nullable var replaySchedule: String?

  init(seed: UInt64, traceHash: String, violated: String, replay: String) {
    self.seed = seed
    self.traceHash = traceHash
    self.violated = violated
    self.replay = replay
  }

  var lines: [String] {
    var lines = ["FAILED seed \(seed), trace \(traceHash): \(violated); again: \(replay)"]
    if let faults, let faultsBefore, let replaySchedule {
      lines.append("  with \(faults) of \(faultsBefore) faults: \(replaySchedule)")
    }
    return lines
  }
}
