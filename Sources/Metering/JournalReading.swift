import Messages
import Signing

/// Bounds of what is read back of an account's past.
public enum JournalReading {
  /// Epochs in one reading: a demand is about a recent epoch, and its material needs all before it.
  public static let epochsAtMost = 4096
}

/// What an anchor says about its account. In memory is only the last record with what it was made from, so what is
/// older waits until the journals of these epochs are read back.
public enum AnchorAnswer<Value> {
  case now(Value)
  case afterReading(ClosedRange<EpochNumber>)
}

extension RecordExchange {
  /// The record that the first so many epochs end in; of the last one where fewer have theirs, nil where none has.
  public func record(ending epochs: UInt64) -> AnchorAnswer<SignedRecord?> {
    guard epochs > 0 else { return .now(nil) }
    return epochs < recordedEpochs ? .afterReading(epochs - 1...epochs - 1) : .now(lastSigned)
  }

  /// - Parameter journals: as they were read back.
  public func record(of epoch: EpochNumber, in journals: [EpochJournal]) -> SignedRecord? {
    guard let journal = journals.last, journal.epoch == epoch else { return nil }
    return signedRecord(journal)
  }

  /// What a demand about an epoch is made from, or the answer to one.
  /// - Returns: with what must be durable before the material leaves.
  public mutating func answer(
    about epoch: EpochNumber
  ) -> AnchorAnswer<(material: EpochMaterial, persist: EpochJournal?)> {
    epoch.addingSaturating(1) >= recordedEpochs ? .now(material(of: epoch)) : .afterReading(0...epoch)
  }

  /// The same for an older epoch, as it stood then.
  /// - Parameter journals: of all epochs up to it.
  public func material(
    of epoch: EpochNumber, in journals: [EpochJournal], key: SigningKey, network: Digest
  ) -> EpochMaterial? {
    guard var past = try? Self(parties: parties, key: key, network: network, recovering: journals),
      past.recordedEpochs == epoch + 1
    else { return nil }
    return past.material(of: epoch).material
  }
}
