import Effects
import Messages
import Signing
import Slicing

extension ControllerCore {
  public struct Configuration: Sendable {
    public var name: String
    public var genesis: Genesis
    public var organisation: OrganisationID
    public var key: SigningKey
    /// Members to follow and to submit to, preferred first.
    public var validators: [ActorAddress]
    public var contracts: [ContractTerms]
    public var substrate: Substrate
    public var edges: [EdgePlace]
    /// Domain managers, at most one per domain. What a slice takes of a domain that is not named here needs nobody's
    /// acknowledgement.
    public var domains: [DomainPlace]
    /// Interruptions to announce on the ledger as soon as it is read.
    public var maintenance: [PlannedMaintenance]
    /// 32 bytes drawn anew for each life.
    public var entropy: [UInt8]

    public init(
      name: String, genesis: Genesis, organisation: OrganisationID, key: SigningKey, validators: [ActorAddress],
      contracts: [ContractTerms], substrate: Substrate, edges: [EdgePlace], domains: [DomainPlace] = [],
      maintenance: [PlannedMaintenance] = [], entropy: [UInt8]
    ) {
      self.name = name
      self.genesis = genesis
      self.organisation = organisation
      self.key = key
      self.validators = validators
      self.contracts = contracts
      self.substrate = substrate
      self.edges = edges
      self.domains = domains
      self.maintenance = maintenance
      self.entropy = entropy
    }
  }

  /// One edge monitor and what it serves.
  public struct EdgePlace: Sendable {
    public var address: ActorAddress
    public var key: PublicKey
    public var cells: [String]
    public var peers: [String]

    public init(address: ActorAddress, key: PublicKey, cells: [String], peers: [String]) {
      self.address = address
      self.key = key
      self.cells = cells
      self.peers = peers
    }
  }

  /// The manager of one domain (NSSMF of 3GPP TS 28.531).
  public struct DomainPlace: Sendable {
    public var domain: ResourceDomain
    public var address: ActorAddress

    public init(domain: ResourceDomain, address: ActorAddress) {
      self.domain = domain
      self.address = address
    }
  }

  /// One interruption: what the ledger is told of it, and what of the substrate is not to be built on meanwhile.
  public struct PlannedMaintenance: Sendable {
    public var announcement: Maintenance
    /// Not announced before this: it binds no order of before.
    public var notBefore: Instant
    /// Nodes besides the announcement's cells that no slice may lead over in its window.
    public var nodes: [String]

    public init(_ announcement: Maintenance, notBefore: Instant = .zero, nodes: [String] = []) {
      self.announcement = announcement
      self.notBefore = notBefore
      self.nodes = nodes
    }
  }
}
