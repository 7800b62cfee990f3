//! What has to be known about a kind of broker before one is started. How it is started is in the broker's own folder.

/// The facts about one kind of broker: plain data, so that a test can change one of them.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its name in messages.
    pub name: &'static str,
    /// The environment variable with the address of a broker that is there already.
    pub url_variable: &'static str,
    /// The environment variable that replaces [`Kind::image`].
    pub image_variable: &'static str,
    /// The official image, pinned.
    pub image: &'static str,
    /// The environment variable with the path of the server's program, where it is at none of [`Kind::programs`].
    pub program_variable: &'static str,
    /// Where the server's program may be: absolute paths, and names to look up on `PATH`; the first one counts.
    pub programs: &'static [&'static str],
    /// The Debian and Ubuntu packages with the server.
    pub packages: &'static [&'static str],
    /// The systemd units that come with the packages and what they depend on.
    pub units: &'static [&'static str],
    /// The port that its clients connect to where nothing else is said.
    pub port: u16,
    /// Stands in a line of the server's log once it takes connections.
    pub ready: &'static str,
}
