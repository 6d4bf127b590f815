//! Where connections come from (来源): so many at a time from one address, so that one client that opens ever more of them
//! does not keep all others out.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Connections by address; of IPv6 by network of 64 bits, which is what one machine is given.
#[derive(Debug)]
pub(super) struct Peers {
    most: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection that is open; dropped when it is not.
#[derive(Debug)]
pub(super) struct Entered {
    peers: Arc<Peers>,
    address: IpAddr,
}

impl Peers {
    /// At most so many connections of one address.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, open: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner) // every change is whole
    }

    /// One more of this address, where there may be.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Entered> {
        let address = source(address);
        let mut open = self.lock();
        let count = open.entry(address).or_default();
        if *count >= self.most {
            return None; // there are some: the entry stays
        }
        *count += 1;
        Some(Entered { peers: Arc::clone(self), address })
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut open = self.peers.lock();
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

/// What stands for an address.
fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::Peers;

    #[test]
    fn each_address_has_its_own_count() {
        let peers = Peers::new(2);
        let enter = |address: &str| peers.enter(address.parse().expect("an address"));
        let first = enter("192.0.2.1").expect("room");
        let _second = enter("::ffff:192.0.2.1").expect("room");
        assert!(enter("192.0.2.1").is_none());
        let _other = enter("192.0.2.2").expect("room");
        drop(first);
        assert!(enter("192.0.2.1").is_some());
        let six = [enter("2001:db8::1"), enter("2001:db8::2")];
        assert!(enter("2001:db8::3").is_none() && enter("2001:db8:0:1::1").is_some());
        drop(six);
        assert_eq!(peers.lock().len(), 2, "addresses without connections are forgotten");
    }
}
