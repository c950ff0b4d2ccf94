import Effects
import Signing
import Wire

/// The records of one turn as a disk holds them while they are new: one frame with its digest behind it. A frame that
/// was cut off in writing has another digest, or none; recovery leaves it out, and whatever came after it.
struct Commit: Sendable {
  var records: [Record] = []

  var frame: [UInt8] {
    var writer = CBORWriter()
    for record in records {
      switch record {
      case .put(let stream, let key, let bytes):
        writer.write(UInt64(stream))
        writer.write(key)
        writer.write(bytes: bytes)
      case .prune(let stream, let key), .retire(let stream, let key):
        writer.write(UInt64(stream))
        writer.write(key)
      }
    }
    return writer.bytes + Digest(label: Self.label, writer.bytes).bytes
  }

  /// What recovery asks of the bytes that it finds.
  static func isWhole(_ frame: some Collection<UInt8>) -> Bool {
    let bytes = Array(frame)
    let length = Digest(label: label, []).bytes.count
    guard bytes.count >= length else { return false }
    return Digest(label: label, Array(bytes.dropLast(length))).bytes == Array(bytes.suffix(length))
  }

  private static let label = "AJIT simulated commit"
}
