#!/usr/bin/env bash
# What a change has to pass besides the tests: format, clippy, each feature by itself, docs, and cargo-deny where it is
# installed. Warnings are errors. CI runs this file too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The packages that are published: their users choose features one by one.
libraries=(envelope adapters/* telemetry)

step() { echo "== $* (after $SECONDS s)"; }
field() { sed -n "s/^$1 *= *\"\(.*\)\"/\1/p" "$2/Cargo.toml" | head -n 1; }
features() { sed -n '/^\[features\]/,/^\[[^f]/s/^\([a-z][a-z0-9_-]*\) *=.*/\1/p' "$1/Cargo.toml"; }

step "cargo fmt"
cargo fmt --all -- --check

step "cargo clippy, all features"
cargo clippy --locked --workspace --all-targets --all-features -- -D warnings

for library in "${libraries[@]}"; do
  name=$(field name "$library")
  step "cargo clippy, $name without features"
  cargo clippy --locked --package "$name" --no-default-features -- -D warnings
  for feature in $(features "$library"); do
    [ "$feature" != default ] || continue
    step "cargo clippy, $name with $feature"
    cargo clippy --locked --package "$name" --no-default-features --features "$feature" -- -D warnings
  done
done

step "cargo doc"
RUSTDOCFLAGS=-Dwarnings cargo doc --locked --workspace --no-deps --all-features

if cargo deny --version >/dev/null 2>&1; then
  step "cargo deny"
  # Without advisories: they need a database from the network, and they change without a change of ours.
  # Duplicate versions are warned of in full, and hundreds of lines long.
  cargo deny --log-level error --all-features check licenses bans sources
else
  step "cargo deny is not installed: licences, bans and sources are not checked"
fi
step "all checks passed"
