//! A port for a broker that keeps it through a restart.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    net::{Ipv4Addr, TcpStream},
};

use anyhow::{Context as _, Result};

/// Below the ports that systems give to outgoing connections (Linux from 32768). A client that tries to reconnect to a stopped
/// broker on such a port can be given that very port, connect to itself, and keep the broker from coming back.
const RANGE: std::ops::Range<u16> = 10_000..30_000;

/// A port of loopback that nobody listens on, outside the range from which outgoing connections are given theirs.
pub fn free_port() -> Result<u16> {
    free_ports(1)
}

/// The first of so many ports in a row that nobody listens on. Taken at random: processes that start brokers at the same time
/// hardly ever meet.
pub(crate) fn free_ports(count: u16) -> Result<u16> {
    let are_free = |first: &u16| (*first..*first + count).all(is_free);
    (0..100).map(|_| random_port()).find(are_free).context("none of 100 ports is free")
}

/// Found out by connecting. A listener that is opened for a moment can stay open: another thread that starts a process just then
/// hands it a copy, and the broker finds its port taken.
fn is_free(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err()
}

fn random_port() -> u16 {
    // The only randomness that the standard library has: each `RandomState` has its own keys.
    let random = RandomState::new().build_hasher().finish();
    let offset = random % u64::from(RANGE.end - RANGE.start);
    RANGE.start + u16::try_from(offset).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_free_port_is_outside_the_range_of_outgoing_connections_and_nobody_listens_there() {
        let port = free_port().expect("a port");
        assert!(RANGE.contains(&port));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("nobody listens there");
        assert!(!is_free(port));
        drop(listener);
    }

    #[test]
    fn of_ports_in_a_row_each_is_free() {
        let first = free_ports(3).expect("three ports");
        let listeners = (first..first + 3).map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)));
        assert!(listeners.collect::<Result<Vec<_>, _>>().is_ok());
    }
}
