//! What the kernel holds for a server's connections, as `ss` (iproute2) says: received and not read, queued and not
//! acknowledged, and memory that is set aside for a socket. A socket itself, about 2 KiB more on each side, is not in
//! it, nor is the clients' side.

use std::io;
use std::net::SocketAddr;
use std::process::Command;

/// Bytes, of all connections that were made to this address.
pub(crate) fn memory(addr: SocketAddr) -> io::Result<u64> {
    let filter = format!("sport = :{}", addr.port());
    let output = Command::new("ss").args(["-Htnm", &filter]).output().map_err(|error| {
        io::Error::new(error.kind(), format!("cannot run ss (apt-get install iproute2): {error}"))
    })?;
    if !output.status.success() {
        return Err(io::Error::other(format!("ss: {}", String::from_utf8_lossy(&output.stderr))));
    }
    Ok(sum(&String::from_utf8_lossy(&output.stdout)))
}

fn sum(text: &str) -> u64 {
    let sockets = text.split("skmem:(").skip(1).filter_map(|rest| rest.split(')').next());
    sockets.flat_map(|fields| fields.split(',')).filter_map(counted).sum()
}

/// A field's bytes, where they are memory and not a limit, and in no other field: `t` is a part of `w`.
fn counted(field: &str) -> Option<u64> {
    let digits = field.find(|character: char| character.is_ascii_digit())?;
    let (name, number) = field.split_at(digits);
    matches!(name, "r" | "f" | "w" | "o" | "bl").then(|| number.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_summed_and_limits_are_not() {
        let check = |text: &str, expected: u64| assert_eq!(sum(text), expected, "{text}");
        check("", 0);
        check("ESTAB 0 0 127.0.0.1:80 127.1.0.1:99\n\t skmem:(r1,rb10,t2,tb20,f4,w8,o16,bl32,d64)\n", 61);
        check("x\n\t skmem:(r1,rb10,f0)\nFIN-WAIT-1 x\n\t skmem:(r0,w700)\n", 701);
    }
}
