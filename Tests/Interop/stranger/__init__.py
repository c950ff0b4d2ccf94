"""A customer written from the protocol article alone (Protocol.md), with public libraries only: pyzmq, cbor2, pycose,
cryptography. It buys service from a consortium of real processes, keeps its own side of the account and settles."""
