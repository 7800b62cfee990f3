//! What the client does not tell, and what things are called.

use super::Settings;
use crate::SemConv;
use crate::pattern::Pattern;

impl Settings {
    /// The low-cardinality form of destinations whose name fits a pattern: it stands in span names and metrics instead of the name,
    /// which stays an attribute of the span. The first that fits counts. Default: none.
    #[must_use]
    pub fn destination_template(mut self, pattern: impl Into<String>, template: impl Into<String>) -> Self {
        self.templates.push((Pattern::new(pattern), template.into()));
        self
    }

    /// The broker's address and port, for `server.address` and `server.port`. Default: left out, because most clients hide them.
    #[must_use]
    pub fn server(mut self, address: impl Into<String>, port: u16) -> Self {
        self.server = Some((address.into(), port));
        self
    }

    /// The consumer group, for `messaging.consumer.group.name`. Default: what the adapter knows, else left out.
    #[must_use]
    pub fn consumer_group(mut self, name: impl Into<String>) -> Self {
        self.consumer_group = Some(name.into());
        self
    }

    /// The client's id, for `messaging.client.id`. Default: what the adapter knows, else left out.
    #[must_use]
    pub fn client_id(mut self, id: impl Into<String>) -> Self {
        self.client_id = Some(id.into());
        self
    }

    /// Which release of the conventions names the attributes. Default: as `OTEL_SEMCONV_STABILITY_OPT_IN` says, else
    /// [`SemConv::V1_44`].
    #[must_use]
    pub fn semconv(mut self, release: SemConv) -> Self {
        self.semconv = release;
        self
    }
}
