# `make` or `make help` lists what there is. CI runs the same steps: see .ci/run.

.DEFAULT_GOAL := help
.PHONY: help demo generate fmt build test race lint bench fuzz web conformance browser docs ci

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## everything on this machine: a simulated ERPNext, PostgreSQL, the graph, GraphiQL
	go run . demo

generate: ## SDL, graph/ and resolvers/*.gen.go from the facts in schema/ (offline)
	go generate ./...

fmt: ## format hand-written Go: gofumpt, imports in groups
	.ci/golangci-lint fmt

build: ## compile everything
	.ci/run build

test: ## all tests that need only Go
	go test ./...

race: ## the same under the race detector
	.ci/run race

lint: ## go vet, golangci-lint (pinned, installed the first time), shellcheck
	.ci/run vet lint

bench: ## benchmarks, with allocations
	go test -run '^$$' -bench . -benchmem ./...

fuzz: ## each fuzz target for FUZZTIME (default 5s)
	.ci/run fuzz

web: ## build GraphiQL into web/dist, which is committed (needs Node)
	npm ci --prefix web
	npm run build --prefix web

conformance: ## the 61 GraphQL-over-HTTP audits against the demo (needs Node)
	.ci/run conformance

browser: ## the start page in a headless Chromium, over the demo (needs Node, Chromium)
	.ci/run browser

docs: ## links in the Markdown files; the README's first query against the demo (needs Node)
	.ci/run docs readme

ci: ## all that CI checks
	.ci/run
