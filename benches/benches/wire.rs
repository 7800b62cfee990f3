//! `cargo bench -p benches --bench wire`: payloads that hold their context themselves, from 64 bytes to a mebibyte, written and read,
//! beside a copy and beside wrapping in a `serde_json::Value`. The arguments of `overhead`.

fn main() -> anyhow::Result<()> {
    benches::suite::Suite::wire().run(env!("CARGO_BIN_EXE_count-allocations"))
}
