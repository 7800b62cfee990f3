//! The exchange and the queues of the orders.

mod publisher;

pub(crate) use publisher::Publisher;
use traced_rabbitmq::lapin::{
    self, Channel, Connection, ConnectionProperties, Consumer, ExchangeKind,
    options::{
        BasicConsumeOptions, BasicQosOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions,
        QueueDeclareOptions,
    },
    types::FieldTable,
};

pub(crate) const EXCHANGE: &str = "orders";
pub(crate) const CREATED: &str = "order.created";
pub(crate) const INVENTORY: &str = "inventory";
pub(crate) const DEAD: &str = "orders.dead";

/// So many messages a consumer gets before it has acknowledged the first.
const PREFETCH: u16 = 10;

/// A connection of a service's own, with a channel on which the broker confirms what is published. Exchange and queues are there then,
/// whichever service came first: a message that no queue takes would be lost.
pub(crate) async fn connect(url: &str) -> lapin::Result<(Connection, Channel)> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;

    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare(EXCHANGE.into(), ExchangeKind::Topic, durable, FieldTable::default()).await?;
    for queue in [INVENTORY, DEAD] {
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(queue.into(), durable, FieldTable::default()).await?;
    }
    let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
    channel.queue_bind(INVENTORY.into(), EXCHANGE.into(), CREATED.into(), options, arguments).await?;
    Ok((connection, channel))
}

pub(crate) async fn consume(channel: &Channel, queue: &str) -> lapin::Result<Consumer> {
    channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
    channel.basic_consume(queue.into(), "".into(), BasicConsumeOptions::default(), FieldTable::default()).await
}
