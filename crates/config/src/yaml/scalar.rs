//! What a plain scalar is, by YAML's core schema (YAML 1.2.2, 10.3.2).

use crate::tree::Data;

/// What the text of a plain scalar means; a string if nothing else.
pub(super) fn resolve(text: &str) -> Data {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Data::Null,
        "true" | "True" | "TRUE" => return Data::Bool(true),
        "false" | "False" | "FALSE" => return Data::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Data::Float(f64::NAN),
        _ => {}
    }
    integer(text)
        .or_else(|| float(text).map(Data::Float))
        .unwrap_or_else(|| Data::Text { text: text.to_owned(), exact: None })
}

/// The tag of what a plain scalar means.
pub(super) fn tag(data: &Data) -> &'static str {
    match data {
        Data::Null => "null",
        Data::Bool(_) => "bool",
        Data::Integer(_) => "int",
        Data::Float(_) => "float",
        _ => "str",
    }
}

fn integer(text: &str) -> Option<Data> {
    let based = |digits: &str, radix: u32| {
        let fits = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
        fits.then(|| Data::Integer(i64::from_str_radix(digits, radix).ok()))
    };
    if let Some(octal) = text.strip_prefix("0o") {
        return based(octal, 8);
    }
    if let Some(hex) = text.strip_prefix("0x") {
        return based(hex, 16);
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let fits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| Data::Integer(text.parse().ok()))
}

fn float(text: &str) -> Option<f64> {
    let (sign, number) = match text.strip_prefix('-') {
        Some(number) => (-1.0, number),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if let ".inf" | ".Inf" | ".INF" = number {
        return Some(sign * f64::INFINITY);
    }
    let begins = number.strip_prefix('.').unwrap_or(number).starts_with(|c: char| c.is_ascii_digit());
    let fits = begins && number.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    // What is left of Rust's grammar of numbers is that of the core schema.
    if fits { number.parse::<f64>().ok().map(|number| sign * number) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_schema() {
        let check = |texts: &[&str], expected: &str| {
            for text in texts {
                assert_eq!(tag(&resolve(text)), expected, "{text:?}");
            }
        };
        check(&["", "~", "null", "NULL"], "null");
        check(&["true", "True", "FALSE"], "bool");
        check(&["0", "-17", "+3", "007", "0o17", "0xfF", "99999999999999999999"], "int");
        check(&["1.", ".5", "-1.5e3", "1e10", "+.inf", "-.INF", ".nan"], "float");
        check(
            &[
                "yes", "on", "nUll", "0o8", "0x", "-0x1", "1_000", "1:30", "e5", ".", "-", "1e", "1.2.3",
                "+-1",
            ],
            "str",
        );
        let number = |text: &str| match resolve(text) {
            Data::Integer(number) => number,
            _ => None,
        };
        assert_eq!(
            (number("0o17"), number("0xff"), number("-5"), number("+5")),
            (Some(15), Some(255), Some(-5), Some(5))
        );
        assert_eq!(number("99999999999999999999"), None);
    }
}
