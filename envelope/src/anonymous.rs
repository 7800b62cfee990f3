//! Which names brokers and libraries make up: they stay out of span names and metrics.

/// Whether a queue, topic or channel name is one that nobody chose (*Messaging spans*, "Span name", and the Java agent's rules):
/// `amq.gen-*`, `amq.rabbitmq.reply-to*`, `spring.gen-*`, `*.anonymous.<22 characters>`, or a UUID.
///
/// ```
/// use traced_envelope::is_anonymous;
///
/// assert!(is_anonymous("amq.gen-JzTY20BRgKO-HjmUJj0wLg"));
/// assert!(is_anonymous("orders.anonymous.JzTY20BRgKO-HjmUJj0wLg"));
/// assert!(is_anonymous("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"));
/// assert!(!is_anonymous("orders"));
/// ```
#[must_use]
pub fn is_anonymous(name: &str) -> bool {
    let made_up = ["amq.gen-", "amq.rabbitmq.reply-to", "spring.gen-"];
    made_up.iter().any(|prefix| name.starts_with(prefix)) || is_spring_cloud_group(name) || is_uuid(name)
}

/// Spring Cloud Stream: 16 random bytes in URL-safe base64.
fn is_spring_cloud_group(name: &str) -> bool {
    // The length first: searching costs more than all the rest, and producers ask for each message.
    let long_enough = name.len() >= ".anonymous.".len() + 22;
    long_enough
        && name.rsplit_once(".anonymous.").is_some_and(|(_, id)| {
            id.len() == 22 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        })
}

fn is_uuid(name: &str) -> bool {
    let name = name.as_bytes();
    name.len() == 36
        && name.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_somebody_chose_are_not_anonymous() {
        for name in [
            "",
            "amq.direct",
            "orders.anonymous.short",
            "orders.anonymous.JzTY20BRgKO+HjmUJj0wLg",
            "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1fx",
            "0f1e2d3c04b5a-6978-8796-a5b4c3d2e1f0",
        ] {
            assert!(!is_anonymous(name), "{name}");
        }
    }
}
