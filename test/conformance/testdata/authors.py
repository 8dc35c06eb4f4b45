"""Python's email package as a long-lived process: whom it takes for the authors of From fields.

The frames are those of verdict.py, the second one is empty.
{"fields": [base64 of a field's value, ...]} -> [{reader: [address, ...]}, ...]
"""
import base64
import email
import email.header
import email.policy
import email.utils
import inspect
import json
import struct
import sys

# Python 3.13, and what Debian patched, have a strict mode, which is the default there.
MODES = [True, False] if "strict" in inspect.signature(email.utils.getaddresses).parameters else [None]


def read():
    size = sys.stdin.buffer.read(4)
    if len(size) < 4:
        sys.exit(0)
    return sys.stdin.buffer.read(struct.unpack(">I", size)[0])


def getaddresses(text):
    found = []
    for mode in MODES:
        found += [a for _, a in email.utils.getaddresses([text], *([] if mode is None else [mode]))]
    return found


def policy(raw):
    return [a.addr_spec for a in email.message_from_bytes(raw, policy=email.policy.default)["From"].addresses]


def old(raw):
    return getaddresses(str(email.message_from_bytes(raw)["From"]).replace("\r\n", "").replace("\n", ""))


def decoded(raw):
    text = str(email.message_from_bytes(raw)["From"]).replace("\r\n", "").replace("\n", "")
    text = str(email.header.make_header(email.header.decode_header(text)))
    # As http.client, and whoever splits a header section, has it.
    return [a for line in text.splitlines() or [""] for a in getaddresses(line)]


def authors(value):
    raw = b"From:" + value + b"\r\n\r\n"
    shown = {}
    for name, reader in (("email.policy.default", policy), ("getaddresses", old), ("decode_header, getaddresses", decoded)):
        try:
            shown[name] = reader(raw)
        except Exception:  # it has bugs of its own, and then shows nobody
            shown[name] = []
    return shown


while True:
    query = json.loads(read())
    read()
    data = json.dumps([authors(base64.b64decode(f)) for f in query["fields"]]).encode()
    sys.stdout.buffer.write(struct.pack(">I", len(data)) + data)
    sys.stdout.buffer.flush()
