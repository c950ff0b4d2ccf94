import Assembly
import Bus
import Hosting
import Messages
import Signing
import Topology

/// One node's key bundle, as it was made (``KeyBundles``) and handed over: read, checked, and never written.
struct KeyBundle: Sendable {
  /// From the root.
  let path: String
  let book: AddressBook
  let genesis: Genesis
  let topology: Topology
  let topologyText: [UInt8]
  /// SHA-256 of the enclave's executable, 64 digits and a newline.
  let executable: [UInt8]
  /// What `measurement: auto` stands for.
  let measurement: Digest
  let keyring: FileKeyring

  /// - Parameters:
  ///   - node: whose it must be.
  ///   - topology: what it must have been made from.
  init(_ directory: String, of node: String, _ topology: Topology) throws(NodeError) {
    let path = Files.absolute(directory)
    func content(_ name: String) throws(NodeError) -> [UInt8] {
      guard let bytes = try Files.read("\(path)/\(name)") else { throw .bundleMissing(node: node, path: path) }
      return bytes
    }
    self.path = path
    let genesis: Genesis
    let genesisBytes = try content("genesis.cbor")
    do { genesis = try Genesis(decoding: genesisBytes) } catch {
      throw .damaged(path: "\(path)/genesis.cbor", detail: "\(error)")
    }
    topologyText = try content("topology.yaml")
    guard let file = try? TopologyParser.parse(topologyText, file: "\(path)/topology.yaml"), file.topology == topology
    else { throw .bundleDiffers(path: path, detail: "it was made for another topology") }
    executable = try content("enclave.sha256")
    if !Files.exists("\(path)/book.json") { throw .bundleMissing(node: node, path: path) }
    book = try AddressBook.read("\(path)/book.json")
    guard book.network == genesis.networkID.hexadecimal else {
      throw .bundleDiffers(path: path, detail: "its book.json is another network's")
    }
    keyring = FileKeyring(directory: "\(path)/keys")
    guard let place = book.place(node) else {
      throw .bundleDiffers(path: path, detail: "its book.json does not know node \(node)")
    }
    // The one secret that says whose it is.
    guard Files.exists("\(keyring.directory)/curve.key") else { throw .bundleMissing(node: node, path: path) }
    guard try keyring.curveKey("curve").publicKey == place.key else {
      throw .bundleDiffers(path: path, detail: "it is not node \(node)'s: its curve.key is another's")
    }
    self.genesis = genesis
    self.topology = topology
    guard let digest = Digest(hexadecimal: String(decoding: executable.dropLast(), as: UTF8.self)) else {
      throw .damaged(path: "\(path)/enclave.sha256", detail: "it is not 64 hexadecimal digits")
    }
    measurement = MeasuredConfiguration(network: genesis.networkID).measurement(executable: digest)
  }
}
