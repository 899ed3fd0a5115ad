# Two commands do all set-up: `make up` runs gridwatch, `make test` passes the tests. The others are their parts.

CARGO_TARGET_DIR ?= $(CURDIR)/target
export CARGO_TARGET_DIR
GRIDWATCH := $(CARGO_TARGET_DIR)/release/gridwatch
WEB := dashboards/web
VENV := $(CARGO_TARGET_DIR)/venv
# The Kafka client needs OpenSSL: the system's where its development package is there, otherwise built along.
FEATURES := $(shell pkg-config --exists openssl 2>/dev/null || echo --features gridwatch/vendored-openssl)

.PHONY: up build test bench docs faults labelled-days lint tools web
.DEFAULT_GOAL := build

# The demo city on the embedded log; ARGS="--city none --data-dir DIR" for your own.
up: build
	$(GRIDWATCH) up $(ARGS)

build: web
	cargo build --release --locked $(FEATURES)

# The duty page, embedded in the binary.
web: $(WEB)/dist/index.html

$(WEB)/dist/index.html: $(WEB)/package-lock.json $(WEB)/index.html $(shell find $(WEB)/src -type f 2>/dev/null)
	cd $(WEB) && npm ci --no-audit --no-fund && npm run build

# What the tests need beyond the build: as root from Debian's packages, otherwise named and skipped.
tools: $(VENV)/.done
	sh tests/tools.sh

$(VENV)/.done: tests/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	touch $@

test: build tools
	cd $(WEB) && npm test
	GRIDWATCH_PYTHON=$(VENV)/bin/python cargo test --release --locked --workspace --tests $(FEATURES)

# The figures of README; ARGS=--quick says less in less time.
bench: build
	cargo test --release --locked --workspace $(FEATURES) --test figures -- $(ARGS)

# What each detector said of Taipei's labelled days; DATA is the folder of the city's published files.
labelled-days: build
	sh tests/labelled_days/run.sh $(GRIDWATCH) $(DATA)

# The pages of the SQL functions, from their own words and what the demo city answers; the test of that name compares instead.
docs: build
	UPDATE=1 cargo test --release --locked --workspace $(FEATURES) --test function_pages

# Every fault a city on Kafka has to outlast, the full number of times; ARGS="--only zombie --times 5" does some, --list names them.
faults: build tools
	GRIDWATCH_PYTHON=$(VENV)/bin/python cargo test --release --locked --workspace $(FEATURES) --test faults -- $(ARGS)

# In the profile of everything else, so that what builds along (Kafka's client, zstd, macros) is built once.
lint: web
	cargo fmt --all --check
	cargo clippy --release --locked --workspace $(FEATURES) --all-targets --test figures --test faults -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --release --locked --workspace $(FEATURES) --no-deps
