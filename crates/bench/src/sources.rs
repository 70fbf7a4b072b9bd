//! Where connections come from: many addresses of the loopback network, so that ports never run out, also while those of
//! the run before still wait to be free.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::errno::Errno;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::IpBindAddressNoPort;
use socket2::{Domain, Socket, Type};

/// Connections from one address before the next one's turn: well below the ports that there are by default (28,000).
const PER_ADDRESS: u32 = 4000;

/// Addresses that take turns: 127.1.0.1 to 127.1.255.250.
const ADDRESSES: u32 = 256 * LAST;
const LAST: u32 = 250;

/// Connections that were made so far.
static MADE: AtomicU32 = AtomicU32::new(0);

/// Begins to connect without waiting. Whether the connection is there already; on the loopback interface it mostly is.
///
/// `receive_buffer` bounds what the kernel takes for a client that does not read, in bytes.
pub(crate) fn connect(addr: SocketAddr, receive_buffer: Option<usize>) -> io::Result<(Socket, bool)> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    if let Some(bytes) = receive_buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    // The port is chosen when the other end is known, so that one may be used towards several servers.
    setsockopt(&socket, IpBindAddressNoPort, &true)?;
    let source = address(MADE.fetch_add(1, Ordering::Relaxed), process::id());
    socket.bind(&SocketAddr::V4(SocketAddrV4::new(source, 0)).into())?;
    match socket.connect(&addr.into()) {
        Ok(()) => Ok((socket, true)),
        Err(error) if error.raw_os_error() == Some(Errno::EINPROGRESS as i32) => Ok((socket, false)),
        Err(error) => Err(error),
    }
}

/// The source of the connection with this number. Processes begin at different ones.
fn address(number: u32, process: u32) -> Ipv4Addr {
    let turn = (number / PER_ADDRESS).wrapping_add(process.wrapping_mul(97)) % ADDRESSES;
    let third = u8::try_from(turn / LAST).unwrap_or_default();
    let fourth = u8::try_from(turn % LAST + 1).unwrap_or(1);
    Ipv4Addr::new(127, 1, third, fourth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_take_turns_and_begin_anew() {
        let check = |number: u32, process: u32, expected: [u8; 4]| {
            assert_eq!(address(number, process), Ipv4Addr::from(expected), "{number}, {process}");
        };
        check(0, 0, [127, 1, 0, 1]);
        check(3999, 0, [127, 1, 0, 1]);
        check(4000, 0, [127, 1, 0, 2]);
        check(4000 * 250, 0, [127, 1, 1, 1]);
        check(4000 * (ADDRESSES - 1), 0, [127, 1, 255, 250]);
        check(4000 * ADDRESSES, 0, [127, 1, 0, 1]);
        check(0, 1, [127, 1, 0, 98]);
    }
}
