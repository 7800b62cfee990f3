//! The exchange and the queues of the demo.
//!
//! They end with the connections that made them. On a RabbitMQ that others use as well, an exchange or a queue of the same name is an
//! error: its properties differ.

use traced_rabbitmq::lapin::{
    self, Channel, Connection, ConnectionProperties, Consumer, ExchangeKind,
    options::{BasicConsumeOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueDeclareOptions},
    types::FieldTable,
};

pub(crate) const EXCHANGE: &str = "orders";
pub(crate) const CREATED: &str = "created";
pub(crate) const STOCK: &str = "stock";
pub(crate) const DEAD: &str = "stock.dead";

/// A connection of a service's own, with a channel on which the broker confirms what is published.
pub(crate) async fn connect(url: &str) -> lapin::Result<(Connection, Channel)> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok((connection, channel))
}

pub(crate) async fn declare_exchange(channel: &Channel) -> lapin::Result<()> {
    let options = ExchangeDeclareOptions { auto_delete: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare(EXCHANGE.into(), ExchangeKind::Topic, options, FieldTable::default()).await
}

pub(crate) async fn consume(channel: &Channel, queue: &str) -> lapin::Result<Consumer> {
    let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.into(), options, FieldTable::default()).await?;
    let options = BasicConsumeOptions::default();
    channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await
}
