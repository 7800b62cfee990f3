//! Does a Kafka answer? Asked with the request that every client begins with, `ApiVersions` in its version 0:
//! <https://kafka.apache.org/protocol.html#The_Messages_ApiVersions>.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Result, ensure};

const LIMIT: Duration = Duration::from_secs(5);
/// What the answer gives back.
const CORRELATION: [u8; 4] = *b"ping";

pub(super) fn ask(mut stream: TcpStream) -> Result<()> {
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    // The size of the rest; ApiVersions is 18; its version; the correlation id; a client id that is null.
    let [a, b, c, d] = CORRELATION;
    stream.write_all(&[0, 0, 0, 10, 0, 18, 0, 0, a, b, c, d, 0xff, 0xff])?;
    // Its size, the correlation id, an error code.
    let mut answer = [0; 10];
    stream.read_exact(&mut answer)?;
    ensure!(answer.get(4..8) == Some(&CORRELATION) && answer.ends_with(&[0, 0]), "it does not speak Kafka's protocol");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::TcpListener, thread};

    fn ask_a_server_that_says(answer: &'static [u8]) -> Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let stream = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            stream.read_exact(&mut [0; 14]).expect("a request");
            stream.write_all(answer).expect("sent");
        });
        let asked = ask(stream);
        server.join().expect("no panic");
        asked
    }

    #[test]
    fn only_kafka_s_answer_counts() {
        ask_a_server_that_says(b"\0\0\0\x0aping\0\0\0\0\0\0").expect("it is a Kafka");
        for other in
            [b"" as &[u8], b"HTTP/1.1 400 Bad Request\r\n", b"\0\0\0\x0apong\0\0\0\0\0\0", b"\0\0\0\x0aping\0\x23"]
        {
            assert!(ask_a_server_that_says(other).is_err(), "{other:?}");
        }
    }
}
