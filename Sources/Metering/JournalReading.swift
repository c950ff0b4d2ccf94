/// Bounds of what is read back of an account's past.
public enum JournalReading {
  /// Epochs in one reading: a demand is about a recent epoch, and its material needs all before it.
  public static let epochsAtMost = 4096
}
