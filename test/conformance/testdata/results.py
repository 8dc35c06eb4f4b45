"""python3-authres as a long-lived process: parses Authentication-Results fields.

The frames are those of verdict.py. The text is one field with its name, folded.
{"op": "parse"} -> {"id": authserv-id, "results": [{"method", "result", "reason", "properties": {"ptype.property": value}}], "err": text}
Values of quoted-strings keep their backslashes: that is how authres gives them out.
"""
import json
import re
import struct
import sys

import authres
import authres.arc
import authres.dkim_b
import authres.dmarc

context = authres.FeatureContext(authres.dkim_b, authres.dmarc, authres.arc)


def read():
    size = sys.stdin.buffer.read(4)
    if len(size) < 4:
        sys.exit(0)
    return sys.stdin.buffer.read(struct.unpack(">I", size)[0])


def parse(text):
    try:
        unfolded = re.sub(r"\r\n(?=[ \t])", "", text)
        field = context.parse(unfolded)
    except Exception as e:  # whatever it does not like
        return {"err": f"{type(e).__name__}: {e}"}
    return {"id": field.authserv_id, "err": "", "results": [
        {"method": r.method, "result": r.result, "reason": r.reason or "", "properties": {f"{p.type}.{p.name}": p.value for p in r.properties}}
        for r in field.results]}


while True:
    read()
    data = json.dumps(parse(read().decode("ascii"))).encode()
    sys.stdout.buffer.write(struct.pack(">I", len(data)) + data)
    sys.stdout.buffer.flush()
