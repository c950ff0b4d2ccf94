"""A customer in another language (stranger/) buys from a consortium of real processes and settles.

Runs the built program: .build/debug/ajit, or what AJIT names.
"""

import os
import select
import signal
import subprocess
import time
from hashlib import sha256
from pathlib import Path

import pytest
from stranger.bus import PATIENCE
from stranger.customer import SETTLED, Customer
from stranger.envelope import Refused, decode, encode
from stranger.ledger import CONTRACTS, STATE, check_finalization, proved_pairs

HERE = Path(__file__).resolve().parent
TOPOLOGY = HERE / "stranger.yaml"
PROGRAM = Path(os.environ.get("AJIT", HERE.parents[1] / ".build/debug/ajit"))
MEASUREMENT = sha256(b"a test enclave in Python").digest()
EPOCHS = 4
AGREED, DURATION_EXPIRED = 1, 1


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """The consortium under way, without the customer's node; the key bundle of that node."""
    assert PROGRAM.exists(), f"{PROGRAM} is not built: swift build, or set AJIT"
    data = tmp_path_factory.mktemp("consortium")
    log = (data / "log").open("w+")
    # In a session of its own, so that an interrupted test takes nobody else along.
    process = subprocess.Popen(
        [PROGRAM, "up", TOPOLOGY, "--spread", "--data", data / "nodes"],
        stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True)
    bundle = data / "nodes" / "bundles" / "stranger"
    try:
        deadline = time.monotonic() + 60 * PATIENCE
        while not (bundle / "book.json").exists():
            assert process.poll() is None and time.monotonic() < deadline, (log.seek(0), log.read())
            select.select([], [], [], 0.05)
        yield bundle
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30 * PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.seek(0)
        print(log.read())


@pytest.fixture(scope="module")
def customer(bundle):
    customer = Customer(bundle, "stranger", "stranger-box", MEASUREMENT)
    yield customer
    customer.close()


def test_buys_and_settles(customer):
    evidence = customer.register_enclave()
    terms = customer.find_offer(
        profile="crane-control", cell="harbour", peer="crane", epochs=EPOCHS, price=10_000)
    assert terms.price == 100, "the cheaper one"
    order, activation, confirmation = customer.activate(terms, EPOCHS, "harbour", "crane")
    flow = customer.serve(
        terms, order, activation, confirmation, "edge/alpha-edge", evidence, down=[100, 200],
        packets_per_second=100, payload_bytes=200)
    assert flow.account.epoch == EPOCHS
    # Every record was computed here before it was signed; so is what it must come to.
    due = flow.account.due()
    assert 0 < due <= EPOCHS * terms.price
    change = customer.settle(activation, flow.account.last, "controller/alpha")
    assert change[1:4] == [SETTLED, DURATION_EXPIRED, AGREED]
    escrow, bond, paid, refunded, penalty = change[4]
    assert escrow == terms.escrow(EPOCHS) and bond == terms.bond(EPOCHS)
    assert (paid, refunded) == (terms.fee + due, escrow - terms.fee - due)
    assert penalty == flow.account.penalties()


def test_believes_no_forged_answer(customer):
    """What a lying member could send is refused: another state, another certificate, a hidden entry."""
    number, body = customer.ask(customer.members[0], [20, [CONTRACTS, b"\x21", 64]])
    header, certificate, lower, upper, _, steps = body
    assert number == 21
    check_finalization(customer.genesis, header, certificate)
    pairs = proved_pairs(steps, lower, upper, header[STATE])
    assert len(pairs) == 2

    altered = decode(encode(header))
    altered[STATE] = bytes(32)
    with pytest.raises(Refused):
        check_finalization(customer.genesis, altered, certificate)
    with pytest.raises(Refused):
        check_finalization(customer.genesis, header, [certificate[0], certificate[1], certificate[2][::-1]])
    with pytest.raises(Refused):
        check_finalization(customer.genesis, header, [certificate[0], 1, certificate[2][:1]])
    for index, step in enumerate(steps):
        if step[0] == 2:
            hidden = steps[:index] + [[3, step[1], sha256(step[2]).digest()]] + steps[index + 1 :]
            with pytest.raises(Refused):
                proved_pairs(hidden, lower, upper, header[STATE])
