import Glibc

/// How many files this process may have open.
public enum OpenFileLimit {
  /// Raises it to what the system allows without privilege: every store, socket and port is a file, and the usual 1024
  /// end at some two hundred actors. Best effort: whoever then finds no descriptor says so.
  public static func raise() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}
