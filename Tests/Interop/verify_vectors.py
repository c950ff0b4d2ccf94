"""Checks the golden vectors in Tests/Fixtures with public libraries only.

    pip install -r Tests/Interop/requirements.txt
    pytest Tests/Interop/verify_vectors.py

Canonical CBOR is re-encoded by cbor2, envelopes are verified as COSE_Sign1 by pycose and signed again by
cryptography, trees and proofs are recomputed with hashlib from the definitions. Nothing here is translated from the
Swift sources: it is what a stranger would write from the RFCs and the files' `about` lines.
"""

import hashlib
import json
from pathlib import Path

import cbor2
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from pycose.algorithms import EdDSA
from pycose.headers import KID, Algorithm, ContentType
from pycose.keys import OKPKey
from pycose.keys.curves import Ed25519
from pycose.messages import CoseMessage, Sign1Message

FIXTURES = Path(__file__).resolve().parent.parent / "Fixtures"


def vectors(name):
    with open(FIXTURES / f"{name}.json", encoding="utf-8") as file:
        loaded = json.load(file)["vectors"]
    assert loaded, f"{name}.json has no vectors"
    return loaded


def vectors_of_envelopes():
    """Every signed message, from envelope*.json and messages*.json."""
    names = sorted(path.stem for pattern in ("envelope*.json", "messages*.json") for path in FIXTURES.glob(pattern))
    return [pytest.param(vector, id=f"{name}: {vector['name']}") for name in names for vector in vectors(name)]


def named(name):
    return [pytest.param(vector, id=str(vector.get("name", index))) for index, vector in enumerate(vectors(name))]


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# --- CBOR


def item(described):
    (kind, value), = described.items()
    match kind:
        case "integer":
            return int(value)
        case "bytes":
            return bytes.fromhex(value)
        case "array":
            return [item(element) for element in value]
        case "map":
            return {int(pair["key"]): item(pair["value"]) for pair in value}
        case "null":
            return None
        case "text" | "bool":
            return value
    raise ValueError(f"unknown kind {kind}")


def is_canonical(encoded):
    """Whether the bytes are one whole item in the one encoding cbor2 would choose."""
    try:
        return cbor2.dumps(cbor2.loads(encoded), canonical=True) == encoded
    except (cbor2.CBORDecodeError, ValueError, EOFError):
        return False


@pytest.mark.parametrize("vector", named("cbor"))
def test_canonical_items(vector):
    encoded = bytes.fromhex(vector["encoded"])
    decoded = cbor2.loads(encoded)
    expected = item(vector["value"])
    assert decoded == expected and type(decoded) is type(expected)
    assert cbor2.dumps(expected, canonical=True) == encoded


@pytest.mark.parametrize("vector", named("cbor-refused"))
def test_refused_bytes(vector):
    assert not is_canonical(bytes.fromhex(vector["encoded"]))


# --- Envelopes


def key_of(public_key):
    return OKPKey(crv=Ed25519, x=public_key)


def verify_envelope(envelope, network, kind, version, public_key):
    """Whether pycose verifies the bytes as the message they are said to be."""
    message = CoseMessage.decode(envelope)
    assert isinstance(message, Sign1Message)
    message.key = key_of(public_key)
    message.external_aad = cbor2.dumps(["AJIT", network, kind, version], canonical=True)
    return message.verify_signature()


@pytest.mark.parametrize("vector", vectors_of_envelopes())
def test_envelopes(vector):
    envelope = bytes.fromhex(vector["envelope"])
    network = bytes.fromhex(vector["network"])
    payload = bytes.fromhex(vector["payload"])
    public_key = bytes.fromhex(vector["publicKey"])
    kind, version = vector["kind"], vector["version"]
    external_aad = bytes.fromhex(vector["externalAAD"])

    assert sha256(envelope).hex() == vector["digest"]
    assert external_aad == cbor2.dumps(["AJIT", network, kind, version], canonical=True)
    assert is_canonical(payload)

    # What COSE sees.
    message = CoseMessage.decode(envelope)
    assert message.payload == payload
    assert message.uhdr == {}
    assert message.phdr[Algorithm] is EdDSA
    assert message.phdr[ContentType] == 60_000 + kind * 16 + version
    assert message.phdr.get(KID) == (public_key if vector["namesSigner"] else None)
    assert verify_envelope(envelope, network, kind, version, public_key)

    # Ed25519 is deterministic: the seed gives the same key and signature, so the whole envelope can be rebuilt.
    secret = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(vector["seed"]))
    raw = secret.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    assert raw == public_key
    header = {1: -8, 3: 60_000 + kind * 16 + version} | ({4: public_key} if vector["namesSigner"] else {})
    protected = cbor2.dumps(header, canonical=True)
    signature = secret.sign(cbor2.dumps(["Signature1", protected, external_aad, payload], canonical=True))
    assert cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, signature]), canonical=True) == envelope


@pytest.mark.parametrize("vector", vectors_of_envelopes())
def test_tampered_envelopes_fail(vector):
    envelope = bytes.fromhex(vector["envelope"])
    network = bytes.fromhex(vector["network"])
    public_key = bytes.fromhex(vector["publicKey"])
    kind, version = vector["kind"], vector["version"]

    assert not verify_envelope(envelope, sha256(b"another network"), kind, version, public_key)
    assert not verify_envelope(envelope, network, kind + 1, version, public_key)
    assert not verify_envelope(envelope, network, kind, version + 1, public_key)

    # The last byte of the payload, and each sixteenth of the signature.
    payload_end = len(envelope) - 66
    for position in [payload_end - 1, *range(len(envelope) - 64, len(envelope), 16)]:
        tampered = bytearray(envelope)
        tampered[position] ^= 1
        assert not verify_envelope(bytes(tampered), network, kind, version, public_key), position


def test_the_verifier_of_envelopes_is_not_blind():
    """A recorded vector with one digit changed does not pass `test_envelopes`."""
    vector = dict(vectors("envelope")[0])
    changed = "0" if vector["payload"][-1] != "0" else "1"
    with pytest.raises(AssertionError):
        test_envelopes(vector | {"payload": vector["payload"][:-1] + changed})
    with pytest.raises(AssertionError):
        test_envelopes(vector | {"network": sha256(b"").hex(), "externalAAD": vector["externalAAD"]})


# --- Lists: RFC 9162 §2.1


def tree_hash(leaves):
    if not leaves:
        return sha256()
    if len(leaves) == 1:
        return sha256(b"\x00", leaves[0])
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01", tree_hash(leaves[:split]), tree_hash(leaves[split:]))


def audit_path(index, leaves):
    if len(leaves) <= 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return audit_path(index, leaves[:split]) + [tree_hash(leaves[split:])]
    return audit_path(index - split, leaves[split:]) + [tree_hash(leaves[:split])]


def peaks(leaves):
    if not leaves:
        return []
    size = 1 << len(leaves).bit_length() - 1
    return [tree_hash(leaves[:size])] + peaks(leaves[size:])


@pytest.mark.parametrize("vector", named("merkle"))
def test_lists(vector):
    leaves = [bytes.fromhex(leaf) for leaf in vector["leaves"]]
    assert tree_hash(leaves).hex() == vector["root"]
    assert cbor2.dumps([len(leaves), peaks(leaves)], canonical=True).hex() == vector["log"]
    for proof in vector["proofs"]:
        path = audit_path(proof["index"], leaves)
        assert [step.hex() for step in path] == proof["path"]
        assert cbor2.dumps([proof["index"], len(leaves), path], canonical=True).hex() == proof["encoded"]


# --- Key-ordered maps


def key_bits(key):
    return "".join("1" + format(byte, "08b") for byte in key) + "0"


def prefix_bytes(bits):
    return bytes(int(bits[start + 1 : start + 9].ljust(8, "0"), 2) for start in range(0, len(bits), 9))


def leaf_hash(key, value_digest):
    return sha256(b"\x02", len(key).to_bytes(2, "big"), key, value_digest)


def branch_hash(length, prefix, left, right):
    return sha256(b"\x03", length.to_bytes(2, "big"), prefix, left, right)


def map_hash(pairs):
    """The root of pairs in key order."""
    if not pairs:
        return bytes(32)
    if len(pairs) == 1:
        (key, value), = pairs
        return leaf_hash(key, sha256(value))
    first, last = key_bits(pairs[0][0]), key_bits(pairs[-1][0])
    length = next(index for index, (a, b) in enumerate(zip(first, last)) if a != b)
    left = [pair for pair in pairs if key_bits(pair[0])[length] == "0"]
    return branch_hash(length, prefix_bytes(first[:length]), map_hash(left), map_hash(pairs[len(left) :]))


class Refused(Exception):
    pass


def proved_pairs(steps, lower, upper, root):
    """The pairs a proof shows, or Refused. `steps` is the decoded proof."""
    if not steps:
        if root != bytes(32):
            raise Refused("root")
        return []
    pairs = []
    queue = iter(steps)

    def subtree(known):
        """Reads one subtree of whose keys the bits `known` are known; returns its hash."""
        step = next(queue, None)
        match step:
            case [0, bytes() as digest]:
                least = prefix_bytes(known)
                bound = key_bits(lower)
                is_before = next((k < b for k, b in zip(known, bound) if k != b), False)
                if not (is_before or least >= upper):
                    raise Refused("hidden")
                return digest
            case [1, int() as length, bytes() as prefix]:
                bits = "".join("1" + format(byte, "08b") for byte in prefix)[:length]
                if len(bits) != length or prefix_bytes(bits) != prefix or not bits.startswith(known):
                    raise Refused("branch")
                left = subtree(bits + "0")
                return branch_hash(length, prefix, left, subtree(bits + "1"))
            case [2 | 3 as kind, bytes() as key, bytes() as content]:
                if not key_bits(key).startswith(known):
                    raise Refused("order")
                if lower <= key < upper:
                    if kind == 3:
                        raise Refused("hidden")
                    pairs.append((key, content))
                return leaf_hash(key, sha256(content) if kind == 2 else content)
        raise Refused("step")

    if subtree("") != root or next(queue, None) is not None:
        raise Refused("root")
    return pairs


@pytest.mark.parametrize("vector", named("keyed-merkle"))
def test_maps(vector):
    pairs = [(bytes.fromhex(pair["key"]), bytes.fromhex(pair["value"])) for pair in vector["pairs"]]
    root = bytes.fromhex(vector["root"])
    assert pairs == sorted(pairs)
    assert map_hash(pairs) == root
    for proof in vector["proofs"]:
        lower, upper = bytes.fromhex(proof["from"]), bytes.fromhex(proof["before"])
        encoded = bytes.fromhex(proof["encoded"])
        assert is_canonical(encoded)
        shown = proved_pairs(cbor2.loads(encoded), lower, upper, root)
        assert shown == [pair for pair in pairs if lower <= pair[0] < upper]
        assert [{"key": key.hex(), "value": value.hex()} for key, value in shown] == proof["proved"]
        with pytest.raises(Refused):
            proved_pairs(cbor2.loads(encoded), lower, upper, sha256(root))
        if shown:
            with pytest.raises(Refused):
                proved_pairs([[0, root]], lower, upper, root)


# --- Key agreement


@pytest.mark.parametrize("vector", named("key-agreement"))
def test_key_agreement(vector):
    secrets = [X25519PrivateKey.from_private_bytes(bytes.fromhex(seed)) for seed in vector["seeds"]]
    keys = [
        secret.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        for secret in secrets
    ]
    assert [key.hex() for key in keys] == vector["publicKeys"]
    for secret, peer in zip(secrets, reversed(keys)):
        shared = secret.exchange(X25519PublicKey.from_public_bytes(peer))
        derived = sha256(vector["context"].encode(), b"\x00", shared, *sorted(keys))
        assert derived.hex() == vector["sharedKey"]
