# Casemate. `make help` lists what there is; bin/ holds the longer commands.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible/ansible.cfg
INVENTORY ?= inventories/lab/hosts.yml

.PHONY: help up down converge restore restore-drill rollback rollback-drill upgrade-drill verify probe release test test-full app-test lint ssh clean tools lock

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

up: ## a hardened Debian 13 host on this machine, with the application on it, verified
	@bin/up

down: ## remove the hosts of make up and their data (YES=1 where an organisation lives there); caches stay
	@bin/down

converge: tools ## run ansible/site.yml again, whole or in part; CHECK=1 only says what it would change [TAGS=nginx] [INVENTORY=…] [LIMIT=…]
	@ansible-playbook ansible/site.yml -i $(INVENTORY) $(if $(TAGS),--tags $(TAGS)) $(if $(LIMIT),--limit $(LIMIT)) $(if $(CHECK),--check --diff)

restore: ## a host back from its backup, onto a bare one: IDENTITY=… [INVENTORY=…] [SNAPSHOT=…] [OVERWRITE=host]
	@bin/restore

restore-drill: ## lose a throwaway host with data on it, bring it back, and say how long that took and what was lost
	@bin/restore-drill

rollback: ## the policy of hosts as it was found before the first converge; YES=1 does it [INVENTORY=…] [LIMIT=…]
	@bin/rollback

rollback-drill: ## take the policy of a throwaway appliance back, compare with the bare host, and make an appliance of it again
	@bin/rollback-drill

upgrade-drill: ## make an appliance of the last release, with data on it, one of this checkout; its application goes back and forth
	@bin/upgrade-drill

verify: tools ## check every control on the real host [INVENTORY=…] [LIMIT=…] [ACTIVE=1] [SECOND=1] [KEY=…]
	@casemate verify --inventory $(INVENTORY) $(if $(LIMIT),--limit $(LIMIT)) $(if $(ACTIVE),--active) \
		$(if $(SECOND),--second-witness) $(if $(KEY),--sign-with $(KEY))

probe: ## break a throwaway host on purpose and see the checks fail [ID=DB-003] [HOST=…] [RESUME=1]
	@bin/probe

release: tools ## build and sign a release artefact [PROJECT=your/django/project] [KEY=your/release_key]
	@bin/release "$(or $(PROJECT),app)" "$(KEY)"

test: ## all tests that a change must pass (about three quarters of an hour)
	@bin/test

test-full: ## test, with every probe instead of a sample, and a Django project of somebody else on a host
	@bin/test --full

app-test: ## the application's tests in a lab host [ARGS="-k totp"]
	@bin/app-test

lint: tools ## ruff, mypy, djade, ansible-lint, yamllint, shellcheck
	@bin/lint

ssh: ## a shell on the host of make up
	@ssh -F .lab/ssh_config casemate

clean: down ## down, and the hosts of the tests, caches, artefacts, evidence and tools
	@bin/clean

tools:
	@bin/toolchain

lock: tools ## lock the requirements again, to the newest releases
	@bin/lock
