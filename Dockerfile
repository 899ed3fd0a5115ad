# The program alone: built with the lockfile, run by nobody in particular.
FROM node:22-bookworm-slim AS web
WORKDIR /web
COPY dashboards/web/package.json dashboards/web/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY dashboards/web/ ./
RUN npm run build

FROM rust:1.95-bookworm AS build
WORKDIR /gridwatch
COPY . .
COPY --from=web /web/dist dashboards/web/dist
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/target \
    CARGO_TARGET_DIR=/target cargo build --release --locked && cp /target/release/gridwatch /usr/local/bin/gridwatch

FROM debian:bookworm-slim
RUN apt-get update && apt-get install --no-install-recommends --yes ca-certificates libssl3 zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home --home-dir /var/lib/gridwatch gridwatch
COPY --from=build /usr/local/bin/gridwatch /usr/local/bin/gridwatch
USER gridwatch
VOLUME /var/lib/gridwatch
ENTRYPOINT ["gridwatch"]
