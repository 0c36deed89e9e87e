# One verb per habit. `make` alone prints them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

ROOMS := kernel policy read handlers tools surfaces adapters workers app build scenarios
SOURCES := $(shell find $(ROOMS) \( -name '*.ts' -o -name '*.tsx' -o -name '*.css' -o -path '*/portal/script/*.js' \) -not -name '*.test.ts' -not -name '*.test.tsx' 2>/dev/null) package.json \
  docs/integrators.md $(wildcard docs/handbook/*.md) specs/deviations.yaml $(wildcard build/reference/page*)
TSX := node_modules/.bin/tsx

.PHONY: help install generate build start stop status test check check-types check-rest conformance conformance-prism conformance-mutate conformance-fuzz doctrine-check image-drill drill upgrade-drill faults rules-off hostile browser browser-short probe-portal scenarios transcript simulate simulate-planted mock bench-lists bench-charging bench-imports imports-short renewals renewals-short crash replicas failover bench growth growth-statements soak soak-short soak-canaries release-check clean

help: ## print the verbs
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

node_modules/.package-lock.json: package.json package-lock.json
	@echo "Installing the packages…"
	npm ci --no-fund --no-audit --loglevel=error
	@touch $@

generated/.stamp: node_modules/.package-lock.json $(wildcard specs/*.yaml) $(wildcard build/generate/*.ts)
	@$(TSX) build/generate/main.ts
	@touch $@

generated/prisma/client.ts: node_modules/.package-lock.json prisma/schema.prisma $(wildcard build/prisma/*.ts)
	@$(TSX) build/prisma/main.ts generate
	@touch $@

dist/.stamp: generated/.stamp generated/prisma/client.ts $(SOURCES)
	@$(TSX) build/handbook.ts
	@$(TSX) build/tools.ts
	@$(TSX) build/front-page.ts
	@$(TSX) build/client/main.ts
	@$(TSX) build/bundle.ts
	@$(TSX) build/reference/main.ts
	@touch $@

install: node_modules/.package-lock.json ## install the packages

generate: generated/.stamp generated/prisma/client.ts ## make everything under generated/
	@$(TSX) build/handbook.ts
	@$(TSX) build/tools.ts
	@$(TSX) build/front-page.ts
	@$(TSX) build/client/main.ts

build: ## compile what is shipped into dist/
	@$(MAKE) -s $(if $(filter -j%,$(MAKEFLAGS)),,-j2) dist/.stamp

start: build ## start Airtime; on an empty database also seed it and play a first subscriber
	@AIRTIME_STORY_DAYS=33 node dist/airtime.js start
	@node build/first-start.mjs

stop: build ## stop server and database
	@node dist/airtime.js stop

status: build ## say what runs
	@node dist/airtime.js status

# Types take one core for a minute; what else is checked goes beside them.
check: build ## types, lint, import boundaries, contract lint, generated files
	@$(MAKE) -j2 --output-sync=target check-types check-rest

check-types:
	npx --no-install tsc --noEmit -p .

check-rest:
	npx --no-install biome check .
	npx --no-install spectral lint --quiet --fail-severity error --ruleset .spectral.yaml 'generated/openapi/*.json'
	$(TSX) build/generate/main.ts --check
	$(TSX) build/client/main.ts --check
	$(TSX) build/prisma/main.ts drift
	$(TSX) build/handbook.ts --check
	$(TSX) build/tools.ts --check
	$(TSX) build/front-page.ts --check
	$(TSX) build/compare-tools-main.ts
	$(TSX) doctrine/check/main.ts

doctrine-check: build ## what the house forbids, sought in the program's tree and in the live database
	$(TSX) doctrine/check/main.ts

conformance: build ## prove contracts, TMF630 line by line over HTTP, and a thousand generated requests
	$(TSX) conformance/contract/main.ts
	$(TSX) conformance/run.ts
	$(TSX) conformance/fuzz.ts --count 1000
	$(TSX) conformance/prism.ts --when-at-hand

conformance-prism: build ## every operation through Prism as a validating proxy (fetched on first use)
	$(TSX) conformance/prism.ts

conformance-mutate: build ## plant one fault at a time in our own server, and see conformance fail
	$(TSX) conformance/mutate.ts

conformance-fuzz: build ## ten thousand generated requests, valid and broken
	$(TSX) conformance/fuzz.ts --count 10000

faults: build ## every point of sales and renewals fails in turn, in every way; and the faults that are planted in slow proofs
	AIRTIME_FAULTS=all npx --no-install vitest run policy/order/compensation policy/subscription/renewal-faults browser/planted build/prisma

rules-off: build ## switch off each rule in turn, and see its request at a public door no longer refused
	npx --no-install vitest run doctrine/rules.test.ts --reporter=verbose

hostile: build ## let hostile models loose on the assistant, with every guard and without the one that each aims at
	$(TSX) doctrine/hostile/main.ts

browser: build ## walk every page in headless Chromium: axe, weight, paint, keyboard; keep a gallery (needs Chromium)
	$(TSX) browser/main.ts

browser-short: build
	$(TSX) browser/main.ts --short --when-at-hand

probe-portal: build ## attack the pages as another customer and from another site, with every guard and without each
	$(TSX) doctrine/portal/main.ts

scenarios: build ## play the stories of scenarios/ through the public doors
	$(TSX) scenarios/run.ts --built

transcript: build ## type the session that make start ends with into a real terminal, and print what it shows (needs tmux)
	@$(TSX) scenarios/transcript.ts

# A seed that found something is played again, with all that happened in it, by SEED=n.
SEEDS ?= 50
simulate: build ## play the policy layer through seeded faults and crashes (SEEDS=500 for the long form)
	$(TSX) simulation/main.ts $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

simulate-planted: build ## plant three bugs, one at a time, and see the simulation find each
	$(TSX) simulation/planted.ts

# Types, lint and the contract's proofs each keep little more than one core busy.
test: build ## everything that gates a change
	@$(MAKE) -j2 --output-sync=target check conformance
	npx --no-install vitest run
	$(TSX) bench/lists.ts --large 50000 --other-seconds 0.5
	$(TSX) bench/charging.ts --short
	@$(MAKE) -j2 --output-sync=target renewals-short imports-short
	@$(MAKE) -j2 --output-sync=target scenarios browser-short
	@$(MAKE) simulate
	@$(MAKE) soak-short

mock: build ## serve the contracts as a mock, for clients under development (fetches Prism on first use)
	$(TSX) build/mock/main.ts

# Half an hour to an hour, on a machine that does nothing else. PART=memory,lists runs some parts and keeps the others.
# The load comes from the process that measures: it has room enough not to collect its whole heap meanwhile, and one helper thread.
CLIENT := --initial-heap-size=256 --v8-pool-size=1
bench: build ## measure the whole on both databases and write bench/report-vX.Y.md (PART=name for a part)
	node $(CLIENT) --import tsx bench/main.ts $(if $(PART),--only $(PART))

growth: build ## load a million lines into one PostgreSQL and measure it at each size (some 30 GB)
	$(TSX) bench/growth.ts --write

growth-statements: node_modules/.package-lock.json ## list every hot statement and by what it is found
	$(TSX) doctrine/growth/main.ts

bench-lists: build ## what lists cost at a thousand and at a million usages
	$(TSX) bench/lists.ts

bench-charging: build ## charging over HTTP beside the same SQL under pgbench, and a stream of usage
	$(TSX) bench/charging.ts

# How many kills; the load, the kills and the books are real, so a hundred take some ten minutes.
CRASHES ?= 6
crash: build ## kill -9 of server, database and card gateway under load (CRASHES=100 for the long form)
	$(TSX) simulation/crash/main.ts --crashes $(CRASHES)

replicas: build ## copies of the server behind a proxy under load: one killed, one stopped, one that comes later (HAProxy where there is one)
	$(TSX) deploy/failover/replicas.ts

failover: build ## a primary dies, is cut off, is switched over under load (needs root, Patroni, etcd, HAProxy, PostgreSQL)
	$(TSX) deploy/failover/main.ts

soak: build ## weeks of business time in minutes, with everything done to it; writes soak/report-v0.1.md (SEED, CUSTOMERS)
	$(TSX) soak/main.ts --seed $(if $(SEED),$(SEED),1) $(if $(CUSTOMERS),--customers $(CUSTOMERS))

soak-short: build ## the same for four customers and a month, in about a minute
	$(TSX) soak/main.ts --short

soak-canaries: build ## plant one fault for each gate of the soak, and see that gate fail, and no other
	$(TSX) soak/canaries.ts

release-check: node_modules/.package-lock.json ## whether the reports of soak and bench are of this program
	$(TSX) build/release-check.ts

# What these judge is what was done, not how fast.
renewals-short: build
	$(TSX) bench/renewals.ts --lines 200

imports-short: build
	$(TSX) bench/imports.ts --rows 1000

LINES ?= 10000
renewals: build ## renew LINES lines at one boundary with four workers, one killed midway
	$(TSX) bench/renewals.ts --lines $(LINES)

ROWS ?= 100000
bench-imports: build ## take over ROWS customers and numbers from files, at the terminal
	$(TSX) bench/imports.ts --rows $(ROWS)

image-drill: build ## play the whole Dockerfile by hand: copy, install, compile, start, ask, stop
	$(TSX) deploy/image/main.ts --whole

drill: build ## back up under load, lose everything, restore, and let time go on: nothing is lost, nothing charged twice
	$(TSX) deploy/backup/main.ts

upgrade-drill: build ## a new version beside the old one on one database, under load: no request fails
	$(TSX) deploy/upgrade/main.ts

clean: ## remove what was made; data stays
	rm -rf dist generated/types generated/validators generated/operations.ts generated/prisma generated/tools.json generated/tools-whole.json generated/handbook.json generated/front-page.json generated/schemas generated/client.ts generated/.stamp
