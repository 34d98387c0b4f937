//! Guessing passwords is slow from any one address, and locks nobody out.
//!
//! Each address may be wrong [`BURST`] times at once and then once in [`REFILL`]. Beyond that a password that this
//! process has not seen to be right is refused unread (429), before it costs a hash; one that was right before, every
//! token and every session go on as ever. So a stranger cannot keep a user out by failing in his name, and a client with
//! an old password on the same machine keeps out only logins that are new.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Wrong passwords at once.
const BURST: f64 = 10.0;
/// One more is forgiven in each of these.
const REFILL: Duration = Duration::from_secs(3);
/// Addresses that are remembered; with more, those without debts are forgotten, then all.
const REMEMBERED: usize = 16_384;

#[derive(Debug, Default)]
pub(crate) struct LoginLimit {
    /// Wrong passwords not yet forgiven, as of a time.
    debts: Mutex<HashMap<IpAddr, (f64, Instant)>>,
}

impl LoginLimit {
    /// Seconds to wait before another password is looked at; `None` is now.
    pub(crate) fn wait(&self, address: IpAddr, now: Instant) -> Option<u64> {
        let debts = self.debts.lock().unwrap_or_else(PoisonError::into_inner);
        let debt = left(*debts.get(&network(address))?, now);
        (debt > BURST - 1.0).then(|| ((debt - (BURST - 1.0)) * REFILL.as_secs_f64()).ceil().max(1.0) as u64)
    }

    /// A password was wrong.
    pub(crate) fn wrong(&self, address: IpAddr, now: Instant) {
        let mut debts = self.debts.lock().unwrap_or_else(PoisonError::into_inner);
        if debts.len() >= REMEMBERED {
            debts.retain(|_, debt| left(*debt, now) > 0.0);
        }
        if debts.len() >= REMEMBERED {
            debts.clear();
        }
        let debt = debts.entry(network(address)).or_insert((0.0, now));
        *debt = ((left(*debt, now) + 1.0).min(BURST), now);
    }
}

fn left((debt, since): (f64, Instant), now: Instant) -> f64 {
    let forgiven = now.saturating_duration_since(since).as_secs_f64() / REFILL.as_secs_f64();
    (debt - forgiven).max(0.0)
}

/// Whoever has one address of IPv6 has its /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_be_wrong_so_often_and_is_forgiven_with_time() {
        let (limit, start) = (LoginLimit::default(), Instant::now());
        let (bad, good): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        for _ in 0..10 {
            assert_eq!(limit.wait(bad, start), None);
            limit.wrong(bad, start);
        }
        assert_eq!(limit.wait(bad, start), Some(3));
        assert_eq!(limit.wait(good, start), None, "others are not concerned");
        assert_eq!(limit.wait(bad, start + REFILL), None);
        limit.wrong(bad, start + REFILL);
        assert!(limit.wait(bad, start + REFILL).is_some());
        assert_eq!(limit.wait(bad, start + REFILL * 20), None);
    }

    #[test]
    fn one_network_of_ipv6_is_one_address() {
        let (limit, now) = (LoginLimit::default(), Instant::now());
        (0..10).for_each(|at| limit.wrong(format!("2001:db8::{at}").parse().unwrap(), now));
        assert!(limit.wait("2001:db8::ffff".parse().unwrap(), now).is_some());
        assert!(limit.wait("2001:db8:0:1::1".parse().unwrap(), now).is_none());
    }
}
