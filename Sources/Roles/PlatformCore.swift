import Effects
import Messages
import Signing

/// The launcher of one enclave (RFC 9334's attesting environment): it measured the enclave's executable and
/// configuration before starting it, holds the platform key, and signs evidence for the receipt key that the enclave
/// generated. `level: software`: it does not protect from the host's root, and says so.
public struct PlatformCore: RoleCore {
  public struct Configuration: Sendable {
    public var name: String
    public var genesis: Genesis
    public var platformKey: SigningKey
    public var measurement: Digest
    /// The enclave's receipt key, as the enclave reported it when it was launched.
    public var receiptKey: PublicKey
    /// Launches of this enclave on this platform so far, this one included.
    public var bootCount: UInt64

    public init(
      name: String, genesis: Genesis, platformKey: SigningKey, measurement: Digest, receiptKey: PublicKey,
      bootCount: UInt64
    ) {
      self.name = name
      self.genesis = genesis
      self.platformKey = platformKey
      self.measurement = measurement
      self.receiptKey = receiptKey
      self.bootCount = bootCount
    }
  }

  private let configuration: Configuration
  public let address: ActorAddress
  public var subscriptions: [Subscription] { [] }

  public init(_ configuration: Configuration) {
    self.configuration = configuration
    address = ActorAddress(.platform, configuration.name)
  }

  public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
    guard case .request(let token, _, let message) = event else { return [] }
    switch message.value {
    case .getEvidence(let nonce):
      let evidence = AttestationEvidence(
        nonce: nonce, measurement: configuration.measurement, receiptKey: configuration.receiptKey,
        platform: configuration.platformKey.publicKey, bootCount: configuration.bootCount, level: .software)
      return [
        .reply(
          token,
          .evidence(
            Envelope(signing: evidence, with: configuration.platformKey, network: configuration.genesis.networkID)))
      ]
    case .getStatus:
      return [
        .reply(
          token,
          .status([
            StatusItem("measurement", configuration.measurement.hexadecimal),
            StatusItem("receiptKey", configuration.receiptKey.hexadecimal),
            StatusItem("bootCount", configuration.bootCount), StatusItem("level", "software"),
          ]))
      ]
    default: return [.refuse(token, RemoteError(.unimplemented, "a platform answers getEvidence and getStatus"))]
    }
  }
}
