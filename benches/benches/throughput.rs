//! Throughput on a real broker.
fn main() {}
