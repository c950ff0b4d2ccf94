import Glibc

/// Sole ownership of an `ipc://` path for the life of a bus.
///
/// libzmq removes whatever is at the path before it binds, a live socket of another process included. So a lock file
/// beside it (`PATH.lock`, flock(2)) decides who owns the path: the kernel drops the lock with its process, however
/// that ends, and a socket file without a lock holder is a crashed process's and may be replaced.
final class SocketFile {
  private static let suffix = ".lock"
  private let path: String
  private let descriptor: Int32

  /// - Throws: `addressInUse` when another bus holds the lock or any process answers on the socket, else `cannotBind`.
  init(claiming path: String) throws(BusError) {
    self.path = path
    descriptor = try Self.lock(path)
    guard !Self.answers(path), !Self.answers(path + BusEndpoint.publicationSuffix) else {
      removeLock()
      throw .addressInUse(.ipc(path: path))
    }
  }

  /// Call when the sockets are closed. libzmq 4.3.4 leaves the files of sockets closed with their context.
  func release() {
    _ = unsafe unlink(path)
    _ = unsafe unlink(path + BusEndpoint.publicationSuffix)
    removeLock()
  }

  /// Only the owner's user may connect.
  func restrictAccess() {
    _ = unsafe chmod(path, S_IRUSR | S_IWUSR)
    _ = unsafe chmod(path + BusEndpoint.publicationSuffix, S_IRUSR | S_IWUSR)
  }

  private func removeLock() {
    _ = unsafe unlink(path + Self.suffix)
    close(descriptor)
  }

  private static func lock(_ path: String) throws(BusError) -> Int32 {
    let endpoint = BusEndpoint.ipc(path: path)
    while true {
      let descriptor = unsafe open(path + suffix, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR)
      guard descriptor >= 0 else { throw .cannotBind(endpoint, reason: systemReason(errno)) }
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
        let code = errno
        close(descriptor)
        if code == EINTR { continue }
        throw code == EWOULDBLOCK ? .addressInUse(endpoint) : .cannotBind(endpoint, reason: systemReason(code))
      }
      // The holder before us may have removed the file between our open and our lock: then we hold a lock on nothing.
      var (opened, named) = (stat(), stat())
      if unsafe fstat(descriptor, &opened) == 0, unsafe stat(path + suffix, &named) == 0,
        opened.st_ino == named.st_ino, opened.st_dev == named.st_dev
      {
        return descriptor
      }
      close(descriptor)
    }
  }

  /// True when somebody who does not use our lock listens there.
  private static func answers(_ path: String) -> Bool {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
    return unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        unsafe connect(descriptor, pointer, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
      }
    }
  }
}
