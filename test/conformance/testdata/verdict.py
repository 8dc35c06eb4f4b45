"""python3-dkim as a long-lived process: verifies and signs.

Requests and answers are frames on stdin and stdout: four bytes of length, big-endian, and so many bytes. A request is a
frame of JSON and a frame with the message (CRLF line ends); an answer is a frame of JSON.

  {"op": "hello", "records": {name: TXT}, "keys": {"rsa": PEM, "ed25519": base64 of the seed}}
      -> {"version": text, "algorithms": [...]}
  {"op": "verify"} -> [{"ok": bool, "err": text}, ...] for each DKIM-Signature field, top to bottom
  {"op": "sign", "algorithm", "selector", "domain", "header", "body"} -> {"field": the whole field, "err": text}
"""
import json
import logging
import struct
import sys

import dkim

records, keys = {}, {}


def read():
    size = sys.stdin.buffer.read(4)
    if len(size) < 4:
        sys.exit(0)
    return sys.stdin.buffer.read(struct.unpack(">I", size)[0])


def write(value):
    data = json.dumps(value).encode()
    sys.stdout.buffer.write(struct.pack(">I", len(data)) + data)
    sys.stdout.buffer.flush()


def txt(name, timeout=5):
    return records.get(name.decode("ascii").rstrip(".").lower(), "").encode()


def verify(message):
    out = []
    try:
        n = sum(1 for k, _ in dkim.DKIM(message).headers if k.lower() == b"dkim-signature")
    except Exception as e:  # the message as a whole cannot be read
        return [{"ok": False, "err": f"{type(e).__name__}: {e}"}]
    for i in range(n):
        try:
            out.append({"ok": bool(dkim.DKIM(message).verify(idx=i, dnsfunc=txt)), "err": ""})
        except Exception as e:  # every reason counts as a failed signature
            out.append({"ok": False, "err": f"{type(e).__name__}: {e}"})
    return out


def sign(q, message):
    try:
        d = dkim.DKIM(message, signature_algorithm=q["algorithm"].encode())
        kind = q["algorithm"].split("-")[0]
        field = d.sign(q["selector"].encode(), q["domain"].encode(), keys[kind].encode(),
                       canonicalize=(q["header"].encode(), q["body"].encode()))
        return {"field": field.decode("ascii"), "err": ""}
    except Exception as e:
        return {"field": "", "err": f"{type(e).__name__}: {e}"}


logging.disable(logging.CRITICAL)
while True:
    query, message = json.loads(read()), read()
    if query["op"] == "hello":
        records, keys = query["records"], query["keys"]
        write({"version": f"python3-dkim {getattr(dkim, '__version__', '')}".strip(), "algorithms": ["rsa-sha256", "ed25519-sha256"]})
    elif query["op"] == "verify":
        write(verify(message))
    else:
        write(sign(query, message))
