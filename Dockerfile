# depcollect as one static file, for other Dockerfiles to take:
#
#     docker build -t depcollect .
#
#     COPY --from=depcollect /depcollect /usr/local/bin/
#
# On an Alpine image of Rust (--build-arg RUST=rust:1-alpine) it is linked with
# musl, and starts a little faster.
ARG RUST=rust:1-slim-bookworm

FROM ${RUST} AS build
WORKDIR /src
COPY . .
RUN triple=$(rustc -vV | sed -n 's/^host: //p') \
 && RUSTFLAGS='-C target-feature=+crt-static -C relocation-model=static' \
    cargo build --locked --release --target "$triple" \
 && install -D "target/$triple/release/depcollect" /out/depcollect

FROM scratch
COPY --from=build /out/depcollect /depcollect
ENTRYPOINT ["/depcollect"]
