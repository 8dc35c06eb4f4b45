"""Verifies DKIM signatures with python3-dkim, a second implementation.

usage: verify.py RESOLVER-PORT FILE...
Prints one JSON list a file: [{"a": algorithm, "d": domain, "s": selector, "ok": bool, "err": text}], top to bottom.
"""
import json
import re
import sys

import dkim
import dns.resolver

resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers = ["127.0.0.1"]
resolver.port = int(sys.argv[1])
resolver.lifetime = 10
cache = {}


def txt(name, timeout=5):
    name = name.decode() if isinstance(name, bytes) else name
    if name not in cache:
        try:
            answer = resolver.resolve(name, "TXT")
            cache[name] = b"".join(answer[0].strings)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            cache[name] = None
    return cache[name]


def tag(value, name):
    m = re.search(rb"(?:^|;)\s*" + name + rb"\s*=\s*([^;]*)", value)
    return re.sub(rb"\s", b"", m.group(1)).decode() if m else ""


for path in sys.argv[2:]:
    with open(path, "rb") as f:
        message = f.read()
    verifier = dkim.DKIM(message)
    found = []
    signatures = [v for k, v in verifier.headers if k.lower() == b"dkim-signature"]
    for i, value in enumerate(signatures):
        one = {"a": tag(value, b"a"), "d": tag(value, b"d"), "s": tag(value, b"s"), "ok": False, "err": ""}
        try:
            one["ok"] = bool(dkim.DKIM(message).verify(idx=i, dnsfunc=txt))
        except Exception as e:  # every reason counts as a failed signature
            one["err"] = f"{type(e).__name__}: {e}"
        found.append(one)
    print(json.dumps(found))
