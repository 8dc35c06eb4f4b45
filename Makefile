# Two commands do everything: `make demo` and `make test`.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS  = -s -w -X main.version=$(VERSION)
SUDO    := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)

.PHONY: build demo test quick test-matrix packages-installed unit conformance e2e lint bench fuzz hostile mutate docs install clean

build: bin/sealmilter

bin/sealmilter: FORCE
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o $@ ./cmd/sealmilter

.PHONY: FORCE
FORCE:

# The whole job in one process: no root, no DNS, no MTA.
demo: build
	@bin/sealmilter demo

# Everything: installs what it needs from Debian packages, then the unit,
# conformance, protocol and end-to-end tests.
test: packages-installed lint unit e2e

# The fast loop while working: no race detector, no foreign suites, no siege.
quick:
	$(GO) vet ./...
	$(GO) test -short $$($(GO) list ./... | grep -v -e /test/siege -e /test/conformance -e /test/faultdns -e /test/packages)

packages-installed:
	$(SUDO) test/e2e/install-packages.sh

# The same end-to-end and package tests in each Debian (SUITES="bullseye sid" for
# some), and the demo and unit tests as arm64. It makes trees with debootstrap and
# keeps them. Status 75: something was NOT RUN.
test-matrix:
	$(SUDO) env "PATH=$$PATH" GO='$(GO)' test/matrix/run.sh $(SUITES)
	$(SUDO) env "PATH=$$PATH" GO='$(GO)' test/matrix/arm64.sh

lint: bin/staticcheck bin/govulncheck
	@out=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$out" ] || { echo "not gofmt'ed: $$out"; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags e2e ./test/...
	bin/staticcheck ./...
	bin/staticcheck -tags e2e ./test/...
	$(GO) mod tidy -diff
	tools/shellcheck.sh
	tools/vulncheck.sh

bin/staticcheck: tools/go.mod tools/go.sum
	cd tools && $(GO) build -o ../bin/staticcheck honnef.co/go/tools/cmd/staticcheck

bin/govulncheck: tools/go.mod tools/go.sum
	cd tools && $(GO) build -o ../bin/govulncheck golang.org/x/vuln/cmd/govulncheck

unit:
	$(GO) test -race -shuffle=on ./...

# Every foreign suite and vector at full length: 10,000 messages that other DKIM
# engines sign and verify with us, and 100,000 From fields that other readers
# read with us. `make unit` has 300 and 2,000 of them.
conformance: packages-installed
	SEALMILTER_CI=1 SEALMILTER_MESSAGES=10000 $(GO) test -count=1 -timeout 60m -v -run 'TestTheyVerifyOurs|TestWeVerifyTheirs|TestSameVerdict|TestAuthres' ./test/conformance
	SEALMILTER_CI=1 SEALMILTER_FROM=100000 $(GO) test -count=1 -timeout 60m -v -run 'TestFromReaders|TestHonestFrom' ./test/conformance
	SEALMILTER_CI=1 $(GO) test -count=1 ./test/conformance ./auth/...

# A real Postfix, unbound, nsd, BIND, Knot and foreign verifiers on loopback; needs root.
e2e: build
	$(SUDO) env "PATH=$$PATH" SEALMILTER_CI=$(SEALMILTER_CI) $(GO) test -tags e2e -count=1 -timeout 15m ./test/e2e ./test/oldpostfix ./test/local ./test/nameservers ./internal/asuser ./internal/setup

# Ratios to crypto/sha256 and to go-msgauth, measured in one run; and to mail
# that nobody disturbs.
bench:
	$(GO) test -run '^$$' -bench . -benchmem ./auth/internal/canon ./auth/dkim
	$(GO) run ./test/bench

# The figures of docs/security.md, in full size, with limits of time and memory.
hostile:
	$(GO) test -count=1 -timeout 30m -v ./test/siege -full

# docs/milter.yaml.md, from milter.yaml.example and the defaults of the program.
docs:
	$(GO) run ./test/reference

# Changes the code that docs/standards.md names, line by line, and reports what
# no test of its row notices; half an hour.
mutate:
	$(GO) run ./test/mutate

FUZZTIME ?= 30s
fuzz:
	@for p in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
	    echo "== $$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$p || exit 1; \
	  done; \
	done

# The binary, the documented example, the plain systemd unit, the manual pages and
# the shells' completions.
PREFIX ?= /usr/local
install: build
	install -D -m 0755 bin/sealmilter $(DESTDIR)$(PREFIX)/sbin/sealmilter
	install -D -m 0644 milter.yaml.example $(DESTDIR)$(PREFIX)/share/doc/sealmilter/milter.yaml.example
	install -D -m 0644 packaging/plain/sealmilter.service $(DESTDIR)/etc/systemd/system/sealmilter.service
	rm -rf bin/man && mkdir bin/man && bin/sealmilter man --example milter.yaml.example bin/man
	install -d $(DESTDIR)$(PREFIX)/share/man/man8 $(DESTDIR)$(PREFIX)/share/man/man5
	install -m 0644 bin/man/*.8 $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 0644 bin/man/*.5 $(DESTDIR)$(PREFIX)/share/man/man5
	bin/sealmilter completion bash >bin/man/bash && install -D -m 0644 bin/man/bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/sealmilter
	bin/sealmilter completion zsh >bin/man/zsh && install -D -m 0644 bin/man/zsh $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_sealmilter
	bin/sealmilter completion fish >bin/man/fish && install -D -m 0644 bin/man/fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/sealmilter.fish

clean:
	rm -rf bin dist

include packaging/packages.mk
