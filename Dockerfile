# The init as an image of one file, to be copied from:
#
#     COPY --from=supervise /supervise /usr/local/bin/supervise
#     ENTRYPOINT ["supervise", "--"]
#
# `docker build -t supervise .` makes that image; `--target example` makes one that uses it.

# Any image with a Rust toolchain and a C linker.
ARG BUILDER=rust:1-bookworm
# What the example stands on.
ARG BASE=debian:bookworm-slim

FROM ${BUILDER} AS build
WORKDIR /src
COPY . .
# The image's own toolchain is used (.dockerignore leaves rust-toolchain.toml out), and the static C
# library's target is fetched only where the image lacks it.
RUN set -eu; \
    target="$(uname -m)-unknown-linux-musl"; \
    [ -d "$(rustc --print target-libdir --target "$target")" ] || rustup target add "$target"; \
    cargo build --release --locked --bin supervise --target "$target"; \
    cp "target/$target/release/supervise" /supervise

FROM scratch AS supervise
COPY --from=build /supervise /supervise
ENTRYPOINT ["/supervise", "--"]

# How an image of yours takes it. The command is the program of the image; its exit code becomes the
# container's, and `docker stop` reaches it.
FROM ${BASE} AS example
COPY --from=supervise /supervise /usr/local/bin/supervise
# Only where something in the image calls another init, such as tini, by its name.
RUN ["supervise", "shims", "--inits", "/usr/local/bin"]
ENTRYPOINT ["supervise", "--"]
CMD ["sh", "-c", "echo ready; exec sleep infinity"]

# The default is the last stage.
FROM supervise
