# fanout: `make help` lists what there is.

PYTHON  ?= python3
VENV    := .venv
PY      := $(CURDIR)/$(VENV)/bin/python
# What tests compare with, where npm is.
JS      := $(if $(shell command -v npm),.js)
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
RELEASE := github.com/fanout-dev/fanout/cmd/fanout/internal/release
# What `fanout version` says; nothing outside a clone.
COMMIT   = $(shell git rev-parse HEAD 2>/dev/null)$(if $(shell git status --porcelain 2>/dev/null | head -1),-dirty)
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@latest

# The environment of the site, which nothing else needs.
DOCENV  := .venv-docs

.PHONY: help build dist dist-check docs demo test test-go test-long lint bench fuzz vuln fmt clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

build: ## build bin/fanout, one static binary
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X $(RELEASE).commit=$(COMMIT)" -o bin/fanout ./cmd/fanout

# VERSION=1.2.3 names a release; otherwise the commit's tag does.
dist: ## build dist/: archives, deb, rpm, wheels, SBOM, checksums; needs the network once
	go run ./packaging -o dist -version "$(VERSION)"

dist-check: ## build all of that twice and compare the bytes; others' programs check them
	packaging/check.sh -version "$(VERSION)"

docs: $(DOCENV)/requirements.stamp ## the documents as a site, in site/: searchable, without a network
	$(DOCENV)/bin/python -m sphinx -q -W --keep-going -E -c docs/site . site
	@echo site/index.html

$(DOCENV)/requirements.stamp: docs/site/requirements.txt
	$(PYTHON) -m venv $(DOCENV)
	$(DOCENV)/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: -r $<
	@touch $@

# The environment of the examples. A stamp per requirements file keeps a
# second call quick.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo 'make: $(PYTHON) cannot make virtual environments; on Debian: apt-get install python3-venv' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/requirements.stamp: requirements.txt | $(VENV)/bin/python
	$(PY) -m pip install --quiet --disable-pip-version-check --only-binary :all: -r requirements.txt
	@touch $@

$(VENV)/requirements-test.stamp: requirements-test.txt $(VENV)/requirements.stamp
	$(PY) -m pip install --quiet --disable-pip-version-check --only-binary :all: -r requirements.txt -r requirements-test.txt
	@touch $@

.js/stamp: internal/table/testdata/js/package.json
	@mkdir -p .js && cp $< .js/package.json
	cd .js && rm -rf node_modules && npm install --silent --no-audit --no-fund --no-package-lock
	@touch $@

demo: build $(VENV)/requirements.stamp ## run examples/ab and print where its summary is
	bin/fanout run examples/ab/sweep.yaml

test: lint test-go ## every check and every test, with a real ipykernel

# What must be here for the tests; CI adds R.
REQUIRE ?= ipykernel
TESTENV = FANOUT_TEST_PYTHON=$(PY) FANOUT_TEST_REQUIRE="$(REQUIRE)" FANOUT_TEST_NODE_MODULES=$(JS:%=$(CURDIR)/%/node_modules)

# Two packages at a time: many tests wait for kernels and clusters, and no test is of time.
# Compiling is better with both, and lint has vetted. Tests of the whole command start it
# some thousand times, which takes the race detector longer than all else: test-long has both.
test-go: build $(VENV)/requirements-test.stamp $(JS:%=%/stamp)
	go build -race ./...
	$(TESTENV) go test -race -vet=off -p 2 -timeout 60m $$(go list ./... | grep -v '/cmd/fanout$$')
	$(TESTENV) go test -vet=off -timeout 60m ./cmd/fanout

test-long: build $(VENV)/requirements-test.stamp $(JS:%=%/stamp) ## hours: each fuzz target for ten minutes, then every test, the long ones too, three times
	$(MAKE) fuzz FUZZTIME=10m
	FANOUT_TEST_LONG=1 $(TESTENV) go test -race -p 1 -count 3 -timeout 3h ./...

lint: ## gofmt, vet, staticcheck, go mod tidy
	@out=$$(gofmt -l cmd internal templates bench packaging 2>/dev/null); test -z "$$out" || { echo "gofmt -w these:"; echo "$$out"; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...
	go mod tidy -diff

bench: build ## measure against papermill, side by side, and a controller alone; writes bench/RESULTS.md
	$(PYTHON) bench/run.py
	go test -run '^$$' -bench Controller -benchtime 1x ./cmd/fanout

FUZZTIME ?= 20s

# Minimizing what a target found may not eat the time of finding more.
fuzz: ## each fuzz target for FUZZTIME, by default 20 s
	@for pkg in $$(go list ./...); do \
		for f in $$(go test -list '^Fuzz' $$pkg 2>/dev/null | grep '^Fuzz'); do \
			go test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$pkg || exit 1; \
		done; done

vuln: ## known vulnerabilities of the dependencies; needs the network
	go run $(GOVULNCHECK) ./...

fmt: ## format the Go code
	gofmt -w cmd internal templates packaging

clean: ## remove what was built
	rm -rf bin dist site $(VENV) $(DOCENV) .js
