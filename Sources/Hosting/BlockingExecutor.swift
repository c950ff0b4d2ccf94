import Dispatch

/// Runs one actor's work on threads that may block, in order: for what waits for the disk. The cooperative pool has one
/// thread per core and must never wait for a sync.
public final class BlockingExecutor: SerialExecutor {
  private let queue: DispatchQueue

  public init(label: String) { queue = DispatchQueue(label: label) }

  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let executor = asUnownedSerialExecutor()
    queue.async { job.runSynchronously(on: executor) }
  }

  public func checkIsolated() { dispatchPrecondition(condition: .onQueue(queue)) }
}
