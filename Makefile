# The front door. `make help` says what there is.

.DEFAULT_GOAL := all
MAKEFLAGS += --no-print-directory
export KERNEL JOBS

kernel := scripts/kernel

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 24

ifdef KDIR
# A prepared Rust-enabled kernel tree, with the tools of this very machine.
all: ## resin.ko for Debian's kernel KERNEL (build/stock), or for the kernel tree KDIR (build/kdir)
	@$(kernel) check-kdir $(KDIR)
	$(MAKE) -C $(KDIR) M=$(CURDIR) MO=$(CURDIR)/build/kdir modules

install: all ## put the module where modprobe finds it (for KDIR's kernel, or for KERNEL)
	$(MAKE) -C $(KDIR) M=$(CURDIR) MO=$(CURDIR)/build/kdir CONFIG_MODULE_SIG_ALL= modules_install
else
all:
	@$(kernel) module stock

install: all
	@$(kernel) install
endif

debug: ## resin.ko for the debug kernel (build/debug)
	@$(kernel) module debug

check: ## rustfmt, clippy, layers, file and stack sizes, shellcheck
	@scripts/checks

run: ## boot a guest with the gateway in it, in front of a real Tomcat (PORT=8080)
	@scripts/run

test: test-host check test-guest test-status test-bench test-run ## host tests, lints, guest suites on the stock kernel, promtool on the metrics, what a request costs, curl through it to Tomcat

test-host:
	@tests/host/run

test-guest:
	@tests/guest/run stock

test-status:
	@tests/status/check

test-bench:
	@tests/bench/run --ratchet

test-run:
	@scripts/run -- tests/webapp/check

test-suites: ## through it: hostile requests to Tomcat and Jetty, their sessions, Autobahn's WebSocket cases, cache-tests.fyi, MediaWiki
	@tests/differential/run
	@tests/sessions/run
	@tests/websocket/run
	@tests/conformance/run
	@tests/mediawiki/run

test-upload: ## 4 GiB up through it, octets compared, memory watched (some minutes)
	@RESIN_UPLOAD=4096 tests/guest/run stock uploads::large

test-debug: ## the guest suites on the debug kernel (KASAN, lockdep, kmemleak, fault injection)
	@tests/guest/run debug

test-controls: ## show that each detector that the guest suites rely on fires, on both kernels
	@tests/guest/controls/run stock
	@tests/guest/controls/run debug

fuzz: ## fuzz the parsers and whole exchanges, TIME seconds for each target (60)
	@tests/host/fuzz/run $(or $(TIME),60)

speed: ## what a request's head, a hit and its line in the log cost in instructions, and choosing a backend in nanoseconds
	@$(kernel) in -- bash -c 'cd tests/host && cargo run -q --locked --release --example choice_speed'
	@tests/host/speed/run

bench: ## what a request costs the whole machine: resin beside nginx, HAProxy, Varnish and Apache (10 minutes; build/bench.json, .svg)
	@tests/bench/run

clean: ## remove build/; downloads and kernels stay in the cache
	rm -rf build

# One part of the tests after the other.
.NOTPARALLEL:
.PHONY: help all debug install check run test test-host test-guest test-status test-bench test-run test-suites test-upload test-debug test-controls fuzz speed bench clean
