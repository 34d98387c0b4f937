//! What Grafana's API needs from the machine: calls to data sources, the streaming proxy, the key of the secrets, and
//! provisioning files.

pub(crate) mod arrow;
pub(crate) mod client;
pub(crate) mod provisioning;
pub(crate) mod proxy;
pub(crate) mod secrets;
