import Effects
import Glibc
import Messages
import Signing
import Wire

/// One entry of a sealed file: `[number, kind, content]`.
struct SealedEntry: WireCodable {
  enum Content {
    /// An enclave and its receipt key's seed.
    case identity(enclave: String, seed: [UInt8])
    /// What was made durable together, in order: an enclave's turn is in one entry, whole.
    case records([EnclaveRecords])
    /// A launch with this boot count began.
    case launched(UInt64)
  }

  let number: UInt64
  let content: Content

  static let maximumBytes = 64 << 20

  init(number: UInt64, content: Content) {
    self.number = number
    self.content = content
  }

  func encode(to writer: inout CBORWriter) {
    switch content {
    case .identity(let enclave, let seed):
      writer.array(4)
      writer.write(number)
      writer.write(UInt64(1))
      writer.write(enclave)
      writer.write(bytes: seed)
    case .records(let records):
      writer.array(3)
      writer.write(number)
      writer.write(UInt64(2))
      writer.write(list: records)
    case .launched(let bootCount):
      writer.array(3)
      writer.write(number)
      writer.write(UInt64(3))
      writer.write(bootCount)
    }
  }

  init(from reader: inout CBORReader) throws(WireError) {
    (number, content) = try reader.array(maximum: 4) { (reader, count) throws(WireError) in
      let number = try reader.uint()
      switch (try reader.uint(), count) {
      case (1, 4):
        let enclave = try reader.text(maximum: ActorAddress.maximumNameBytes)
        return (number, .identity(enclave: enclave, seed: try reader.byteString(exactly: 32, field: "seed")))
      case (2, 3): return (number, .records(try reader.list(maximum: SealedStore.maximumTurnsPerSync)))
      case (3, 3): return (number, .launched(try reader.uint()))
      default: throw .invalidValue(field: "sealed entry")
      }
    }
  }
}

/// The records of one enclave in one entry: `[enclave, [* record]]`, a record `[stream, key, bytes]` or, to prune,
/// `[stream, key]`.
struct EnclaveRecords: WireCodable {
  let enclave: String
  let records: [Record]

  private static let maximumRecords = 1 << 20

  init(_ enclave: String, _ records: [Record]) {
    self.enclave = enclave
    self.records = records
  }

  /// In memory and, roughly, in an entry. Bytes.
  var size: Int {
    records.reduce(enclave.utf8.count) { sum, record in
      if case .put(_, _, let bytes) = record { sum + StoredRecord.headBytes + bytes.count } else { sum + 16 }
    }
  }

  func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(enclave)
    writer.array(records.count)
    for record in records {
      switch record {
      case .put(let stream, let key, let bytes):
        writer.array(3)
        writer.write(UInt64(stream))
        writer.write(key)
        writer.write(bytes: bytes)
      case .prune(let stream, let below):
        writer.array(2)
        writer.write(UInt64(stream))
        writer.write(below)
      case .retire(let stream, _):
        // Nothing is left out of a launch: as good as a prune of nothing.
        writer.array(2)
        writer.write(UInt64(stream))
        writer.write(UInt64(0))
      }
    }
  }

  init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      EnclaveRecords(try reader.text(maximum: ActorAddress.maximumNameBytes), try Self.records(&reader))
    }
  }

  private static func records(_ reader: inout CBORReader) throws(WireError) -> [Record] {
    try reader.array(maximum: maximumRecords) { (reader, count) throws(WireError) in
      var records: [Record] = []
      for _ in 0..<count {
        records.append(
          try reader.array(maximum: 3) { (reader, count) throws(WireError) in
            let stream = try reader.uint(UInt16.self, field: "stream")
            let key = try reader.uint()
            switch count {
            case 2: return .prune(stream: stream, below: key)
            case 3:
              return .put(stream: stream, key: key, bytes: try reader.byteString(maximum: SealedEntry.maximumBytes))
            default: throw .invalidValue(field: "record")
            }
          })
      }
      return records
    }
  }
}

/// What stands before each entry, in a box of its own and of fixed size: which entry follows and how long its box is.
/// Were the length bare, one changed bit of it would make the rest of the file look like a torn end.
struct SealedFrameHead: Equatable {
  let number: UInt64
  /// Of the entry's box, bytes.
  let length: Int

  private static let contentBytes = 16
  static let byteCount = contentBytes + SealingKey.overheadBytes

  init(number: UInt64, length: Int) {
    self.number = number
    self.length = length
  }

  func sealed(with key: SealingKey) -> [UInt8] {
    key.seal([number, UInt64(length)].flatMap { word in withUnsafeBytes(of: word.bigEndian) { Array($0) } })
  }

  /// - Throws: when it is not authentic.
  init(unsealing box: [UInt8], with key: SealingKey) throws(SealError) {
    let content = try key.open(box)
    guard content.count == Self.contentBytes else { throw .notAuthentic }
    number = content.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    length = Int(clamping: content.suffix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
  }
}

/// A sealed file that is open for appending.
struct SealedFile: ~Copyable {
  private let descriptor: Int32
  private let path: String
  private(set) var bytes = 0

  /// What is in a sealed file.
  struct Content: Sendable {
    /// By enclave.
    var seeds: [String: [UInt8]] = [:]
    var live = LiveState()
    /// Of the last launch that began here; nil before the first.
    var bootCount: UInt64?
    var nextEntry: UInt64 = 0
  }

  private init(descriptor: Int32, path: String) {
    self.descriptor = descriptor
    self.path = path
  }

  deinit { close(descriptor) }

  mutating func append(_ entry: SealedEntry, with key: SealingKey) throws(SealedStoreError) {
    let box = key.seal(entry.encoded)
    guard box.count <= SealedEntry.maximumBytes else {
      throw SealedStoreError(
        description:
          "\(path): what was committed together exceeds \(SealedEntry.maximumBytes) bytes and was not written")
    }
    let frame = SealedFrameHead(number: entry.number, length: box.count).sealed(with: key) + box
    var written = 0
    while written < frame.count {
      let count = frame[written...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw Self.failure(path) }
      written += count
    }
    bytes += frame.count
  }

  func synchronize() throws(SealedStoreError) {
    guard fdatasync(descriptor) == 0 else { throw Self.failure(path) }
  }

  /// Writes a new file beside the old one, synced, and puts it in its place: at any moment one of the two is there,
  /// whole.
  static func replace(
    _ path: String, with key: SealingKey, _ fill: (inout SealedFile) throws(SealedStoreError) -> Void
  ) throws(SealedStoreError) -> SealedFile {
    let new = path + ".new"
    let descriptor = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw failure(new) }
    var file = SealedFile(descriptor: descriptor, path: path)
    try fill(&file)
    try file.synchronize()
    guard rename(new, path) == 0 else { throw failure(new) }
    let slash = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    let directory = open(slash, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else { throw failure(slash) }
    defer { close(directory) }
    guard fsync(directory) == 0 else { throw failure(slash) }
    return file
  }

  /// Reads what is there; nothing if there is no file.
  ///
  /// Torn is only a last frame that is not all there: what a crash leaves of a turn that said nothing yet. It is passed
  /// over. Anything else that does not fit was changed and is refused: an enclave that dropped what it had said would
  /// sign something else in its place.
  static func read(_ path: String, with key: SealingKey) throws(SealedStoreError) -> Content {
    var content = Content()
    guard let bytes = try contents(path) else { return content }
    var offset = 0
    while bytes.count - offset >= SealedFrameHead.byteCount {
      let body = offset + SealedFrameHead.byteCount
      let head: SealedFrameHead
      let entry: SealedEntry
      do {
        head = try SealedFrameHead(unsealing: Array(bytes[offset..<body]), with: key)
        guard head.length <= bytes.count - body else { break }
        entry = try SealedEntry(decoding: key.open(Array(bytes[body..<body + head.length])))
      } catch {
        throw SealedStoreError(
          description: "\(path) cannot be unsealed at byte \(offset): it was sealed by another build or platform, or "
            + "changed; run what wrote it, or start fresh")
      }
      guard head.number == entry.number, offset == 0 || entry.number == content.nextEntry else {
        throw SealedStoreError(description: "\(path) lacks entries at byte \(offset): it was changed; start fresh")
      }
      content.nextEntry = entry.number + 1
      switch entry.content {
      case .identity(let enclave, let seed): content.seeds[enclave] = seed
      case .records(let turns): for turn in turns { content.live.apply(turn) }
      case .launched(let bootCount): content.bootCount = bootCount
      }
      offset = body + head.length
    }
    // A file comes into being with its first entries whole (``replace``), so no crash cuts it short of them.
    guard content.bootCount != nil else {
      throw SealedStoreError(description: "\(path) ends before its first launch: it was changed; start fresh")
    }
    return content
  }

  private static func contents(_ path: String) throws(SealedStoreError) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else {
      if errno == ENOENT { return nil }
      throw failure(path)
    }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = Glibc.read(descriptor, &chunk, chunk.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw failure(path) }
      if count == 0 { return bytes }
      bytes += chunk[..<count]
    }
  }

  private static func failure(_ path: String) -> SealedStoreError {
    SealedStoreError(description: "\(path): \(systemReason(errno)): check owner, permissions and space")
  }
}
