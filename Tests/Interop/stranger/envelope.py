"""Signed things: the article's "Bytes" and "Envelopes"."""

import hashlib
from dataclasses import dataclass

import cbor2
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pycose.algorithms import EdDSA
from pycose.headers import KID, Algorithm, ContentType
from pycose.keys import OKPKey
from pycose.keys.curves import Ed25519
from pycose.messages import CoseMessage, Sign1Message

ACKNOWLEDGEMENT = 67
TRANSACTION, RECEIPT, COMMITMENT, RECORD, FLOW_OPENING, FLOW_OPENED = 16, 32, 33, 34, 35, 36
EVIDENCE, AGREEMENT = 48, 64
NOTARIZE, NULLIFY, FINALIZE = 1, 2, 3


class Refused(Exception):
    """What came is not what the article says."""


def require(condition, what):
    if not condition:
        raise Refused(what)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def encode(item):
    return cbor2.dumps(item, canonical=True)


def decode(data):
    """Deterministic CBOR or nothing."""
    try:
        item = cbor2.loads(data)
    except Exception as error:
        raise Refused("not CBOR") from error
    require(encode(item) == data, "not canonical")
    return item


class Key:
    """An Ed25519 key."""

    def __init__(self, seed):
        self.seed = seed
        private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)

    @classmethod
    def read(cls, path):
        return cls(bytes.fromhex(path.read_text().strip()))


def external_aad(network, kind):
    return encode(["AJIT", network, kind, 1])


def sign(network, kind, payload, key):
    """The envelope, as the item that stands inside messages."""
    message = Sign1Message(
        phdr={Algorithm: EdDSA, ContentType: 60_000 + 16 * kind + 1, KID: key.public},
        payload=encode(payload),
        external_aad=external_aad(network, kind),
    )
    message.key = OKPKey(crv=Ed25519, d=key.seed, x=key.public)
    return cbor2.loads(message.encode())


@dataclass(frozen=True)
class Opened:
    signer: bytes
    payload: bytes
    item: object


def open_envelope(network, kind, envelope, signer=None):
    """Checks an envelope's form and signature. `signer`: who must have signed; for votes, whose headers name nobody."""
    protected, unprotected, payload, _ = envelope.value
    expected = {1: -8, 3: 60_000 + 16 * kind + 1}
    headers = decode(protected)
    named = headers.pop(4, None)
    require(headers == expected and unprotected == {}, "envelope headers")
    require(named is not None or signer is not None, "nobody signed")
    require(signer is None or named in (None, signer), "signed by somebody else")
    message = CoseMessage.decode(encode(envelope))
    message.external_aad = external_aad(network, kind)
    message.key = OKPKey(crv=Ed25519, x=signer or named)
    require(message.verify_signature(), "signature")
    return Opened(signer or named, payload, decode(payload))


def vote(network, kind, payload, signature, signer):
    """A vote, rebuilt from its certificate."""
    protected = encode({1: -8, 3: 60_000 + 16 * kind + 1})
    envelope = cbor2.CBORTag(18, [protected, {}, encode(payload), signature])
    return open_envelope(network, kind, envelope, signer)


def envelope_digest(envelope):
    """What names a transaction, an activation and a piece of evidence."""
    return sha256(encode(envelope))
