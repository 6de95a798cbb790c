# make build    bin/spate, with its commit stamped in
# make test     all tests
# make check    gofmt, vet, staticcheck, tests with and without invariants, race
# make race     the race detector over the packages that share memory between goroutines
# make fuzz     every fuzz target for FUZZTIME
# make bench    micro-benchmarks, then the Linear Road benchmark
# make mishaps  workers of a run killed, stopped and continued, 24 times, with the coordinator; then the same while tasks are reassigned
# make stall    a worker that stands still for 20 s, within a time-out of 60 s
# make soak     hostile traffic through generate, run and validate with a new seed each time, for SOAK minutes

GO       ?= go
FUZZTIME ?= 5s
SOAK     ?= 60
SEED     ?= 1
BENCH    ?= .

# Packages whose goroutines share memory. The simulator has one goroutine, and what cmd/spate runs as a process of its own
# is raced in the packages it is made of.
RACE = $(shell $(GO) list ./... | grep -v -e /engine/sim$$ -e /cmd/spate$$ -e /cmd/internal/ -e /partition$$)

.PHONY: all build test check format vet staticcheck test-invariants test-mutants test-heap race fuzz bench stall mishaps soak clean

all: build

build:
	$(GO) build -buildvcs=auto -o bin/spate ./cmd/spate

test:
	$(GO) test ./...

check: format vet staticcheck test test-invariants test-mutants test-heap race

format:
	@out=$$(gofmt -l .); if [ -n "$$out" ]; then echo "not formatted (run gofmt -w):"; echo "$$out"; exit 1; fi

vet:
	$(GO) vet ./...
	$(GO) vet -tags invariants ./...
	$(GO) vet -tags mutations ./engine/...

staticcheck:
	$(GO) tool staticcheck ./...
	$(GO) tool staticcheck -tags invariants ./...
	$(GO) tool staticcheck -tags mutations ./engine/...

test-invariants:
	$(GO) test -tags invariants -short ./...

# Planted bugs: the simulator has to find each of them.
test-mutants:
	$(GO) test -tags mutations -run 'TestMutants' ./engine/sim

# Slabs of systems other than Linux come from the Go heap.
test-heap:
	$(GO) test -tags slabheap -short ./wire/slab ./state ./buffers

race:
	$(GO) test -race -short $(RACE)

# go test fuzzes one target of one package at a time, so each gets a run of its own.
fuzz:
	@set -e; for package in $$($(GO) list ./...); do \
		targets=$$($(GO) test -list '^Fuzz' "$$package" | grep '^Fuzz' || true); \
		for target in $$targets; do \
			echo "$$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$package"; \
		done; \
	done

bench: build
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchtime 1s ./...
	bin/spate bench lr

stall:
	SPATE_TEST_STALL=20s $(GO) test -count=1 -v -run '^TestStalledWorker$$' ./cmd/spate

mishaps:
	SPATE_TEST_MISHAPS=24 $(GO) test -count=1 -v -run '^(TestWorkersAreLost|TestReassignedWhileWorkersAreLost)$$' ./cmd/spate

# A faulty seed stays in out/soak, with the commands that show the fault again.
soak: build
	@set -e; end=$$(( $$(date +%s) + $(SOAK) * 60 )); seed=$(SEED); mkdir -p out/soak; \
	while [ $$(date +%s) -lt $$end ]; do \
		echo "seed $$seed"; \
		bin/spate lr generate --xways 2 --seed $$seed --to 30m --hostile --out out/soak/input.dat; \
		bin/spate lr history --xways 2 --seed $$seed --out out/soak/history.csv; \
		bin/spate lr run --input out/soak/input.dat --history out/soak/history.csv --out out/soak/results; \
		bin/spate lr validate --input out/soak/input.dat --history out/soak/history.csv --results out/soak/results; \
		seed=$$(( seed + 1 )); \
	done; rm -rf out/soak

clean:
	rm -rf bin out
