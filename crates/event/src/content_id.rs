//! Ids made from content, the way cdviz-collector makes them, so that the same event gets the same id in both.

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// The `CIDv1` (raw codec, SHA-256, base32) of a CDEvent's JSON without its `context.id`, with sorted keys.
///
/// <https://github.com/multiformats/cid>
pub fn content_id(body: &Value) -> String {
    let mut text = String::new();
    write_sorted(body, &mut text, Some("context"));
    // version 1, raw codec, SHA-256, 32 bytes of digest
    let mut cid = vec![0x01, 0x55, 0x12, 0x20];
    cid.extend_from_slice(&Sha256::digest(text.as_bytes()));
    format!("b{}", base32_lower(&cid))
}

/// Writes compact JSON with sorted keys. `skip_id_in` names the member of this object whose `id` is left out.
fn write_sorted(value: &Value, out: &mut String, skip_id_in: Option<&str>) {
    match value {
        Value::Object(object) => {
            let mut members: Vec<_> = object.iter().collect();
            members.sort_unstable_by_key(|(key, _)| *key);
            out.push('{');
            let mut first = true;
            for (key, member) in members {
                let is_context = skip_id_in == Some(key.as_str());
                if !std::mem::take(&mut first) {
                    out.push(',');
                }
                let _ = write!(out, "{}:", Value::from(key.as_str()));
                match member {
                    Value::Object(context) if is_context => {
                        let mut context = context.clone();
                        context.shift_remove("id");
                        write_sorted(&Value::Object(context), out, None);
                    }
                    _ => write_sorted(member, out, None),
                }
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_sorted(item, out, None);
            }
            out.push(']');
        }
        scalar => {
            let _ = write!(out, "{scalar}");
        }
    }
}

/// RFC 4648 base32, lower case, without padding.
fn base32_lower(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut out = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let (mut buffer, mut bits) = (0u32, 0u32);
    for byte in bytes {
        buffer = (buffer << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(char::from(ALPHABET[(buffer >> bits) as usize & 31]));
        }
    }
    if bits > 0 {
        out.push(char::from(ALPHABET[(buffer << (5 - bits)) as usize & 31]));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn base32_is_rfc_4648s() {
        for (input, expected) in
            [("", ""), ("f", "my"), ("fo", "mzxq"), ("foo", "mzxw6"), ("foobar", "mzxw6ytboi")]
        {
            assert_eq!(base32_lower(input.as_bytes()), expected);
        }
    }

    #[test]
    fn the_id_itself_and_the_order_of_keys_do_not_count() {
        let bare = json!({"context": {"type": "t", "timestamp": "x"}, "subject": {"id": "s"}});
        let named = json!({"subject": {"id": "s"}, "context": {"timestamp": "x", "id": "0", "type": "t"}});
        let other = json!({"context": {"type": "t", "timestamp": "x"}, "subject": {"id": "t"}});
        assert_eq!(content_id(&bare), content_id(&named));
        assert_ne!(content_id(&bare), content_id(&other));
        assert!(content_id(&bare).starts_with("bafkrei"), "CIDv1, raw, SHA-256: {}", content_id(&bare));
    }

    #[test]
    fn known_value() {
        // printf '{}' | sha256sum, as a CIDv1: what `ipfs add --raw-leaves --cid-version 1` prints for it
        assert_eq!(content_id(&json!({})), "bafkreicecnx2gvntm6fbcrvnc336qze6st5u7qq7457igegamd3bzkx7ri");
    }
}
