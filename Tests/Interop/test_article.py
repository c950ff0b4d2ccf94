"""Checks the protocol article's grammar against the golden vectors, with public libraries only.

The CDDL blocks of Protocol.md, put together, are one grammar (RFC 8610). Every message on the bus, every action and
every signed payload that the fixtures pin must match it, and damaged ones must not: so the article says what the bytes
are, and a stranger can write a party from it.
"""

import re
from pathlib import Path

import cbor2
import pytest
from cddl import Grammar
from verify_vectors import named, vectors

ARTICLE = Path(__file__).resolve().parents[2] / "Sources/Messages/Documentation.docc/Protocol.md"
BLOCKS = re.findall(r"^```\n(.*?)^```", ARTICLE.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
GRAMMAR = Grammar("\n".join(BLOCKS))

# The signed payload of each kind of envelope.
PAYLOADS = {
    16: "transaction",
    32: "receipt",
    33: "commitment",
    34: "record",
    35: "flow-opening",
    36: "flow-opened",
    48: "evidence",
    64: "agreement",
    65: "consent",
    66: "segment-order",
    67: "acknowledgement",
    68: "member-change",
    69: "key-rotation",
    70: "regulator-order",
    71: "invalid-block",
}


def check(rule, encoded):
    item = cbor2.loads(encoded)
    assert GRAMMAR.matches(rule, item)
    assert cbor2.dumps(item, canonical=True) == encoded
    if isinstance(item, list):
        assert not GRAMMAR.matches(rule, item + ["one more"])
        assert not GRAMMAR.matches(rule, item[:-1])
        assert not GRAMMAR.matches(rule, item[:-1] + [{"not": "that"}])


@pytest.mark.parametrize("vector", named("bus-messages"))
def test_messages(vector):
    check("message", bytes.fromhex(vector["bytes"]))


@pytest.mark.parametrize("vector", named("actions"))
def test_actions(vector):
    check("action", bytes.fromhex(vector["bytes"]))


@pytest.mark.parametrize("rule, name", [("message", "bus-messages"), ("action", "actions")])
def test_every_number_of_the_grammar_has_its_vector(rule, name):
    _, (_, options) = GRAMMAR.rules[rule]
    numbers = [entries[0][2][1] for _, entries in options]
    assert sorted(numbers) == [vector["number"] for vector in vectors(name)]


SIGNED = [v for name in ("messages-metering", "messages-transactions") for v in vectors(name)]


@pytest.mark.parametrize("vector", SIGNED, ids=lambda vector: vector["name"])
def test_signed_payloads(vector):
    check(PAYLOADS[vector["kind"]], bytes.fromhex(vector["payload"]))
    envelope = cbor2.loads(bytes.fromhex(vector["envelope"]))
    assert GRAMMAR.matches("envelope", envelope, argument=("name", PAYLOADS[vector["kind"]], None))
    assert not GRAMMAR.matches("envelope", envelope, argument=("name", "genesis", None))
