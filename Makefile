# hoigen's entry points; scripts/ holds what they do. PYTHON=python3.12 chooses the interpreter of .venv.
SHELL := /bin/bash
export PYTHON

.DEFAULT_GOAL := help
.PHONY: help demo test check setup bench clean

help: ## Show this
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 16

demo: ## Set up, then from a simulated hand to generated video in out/demo (ARGS='--episodes 5 --seed 7')
	@scripts/demo.sh $(ARGS)

test: ## Set up, then run every test
	@scripts/test.sh

check: ## Set up, then lint, types and the fast tests, in about a minute
	@scripts/check.sh

setup: ## Make .venv with pinned packages and build with colcon; quick when nothing has changed
	@scripts/setup.sh

bench: ## Set up, then measure the speed
	@scripts/setup.sh
	@source install/setup.bash && for bench in bench/bench_*.py; do python "$$bench" || exit; done

clean: ## Remove what the build made; .venv and out/ stay
	rm -rf build install log
