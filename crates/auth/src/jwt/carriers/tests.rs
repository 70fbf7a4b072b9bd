use super::*;

struct Headers<'h>(&'h [(&'h str, &'h [u8])]);

impl RequestHeaders for Headers<'_> {
    fn values<'a>(&'a self, name: &str) -> Box<dyn Iterator<Item = &'a [u8]> + 'a> {
        let name = name.to_owned();
        Box::new(self.0.iter().filter(move |(own, _)| *own == name).map(|(_, value)| *value))
    }
}

#[test]
fn a_request_carries_one_token() {
    let everywhere = Carriers { cookie: Some("token".to_owned()), query: true };
    let check = |carriers: &Carriers,
                 headers: &[(&str, &str)],
                 query: &[&str],
                 expected: Result<&str, TokenFault>| {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        let query = query.iter().map(|value| (Cow::Borrowed("access_token"), Cow::Borrowed(*value)));
        let headers = Headers(&headers);
        let found = carriers.find(&headers, query);
        assert_eq!(found, expected.map(Cow::Borrowed), "{:?}", headers.0);
    };
    let header = |value| [("authorization", value)];
    check(&everywhere, &[], &[], Err(TokenFault::Missing));
    check(&everywhere, &header("Bearer a.b.c"), &[], Ok("a.b.c"));
    check(&everywhere, &header("bearer   a.b.c "), &[], Ok("a.b.c"));
    check(&everywhere, &header("Bearer"), &[], Err(TokenFault::Missing));
    check(&everywhere, &header("Bearer "), &[], Err(TokenFault::Missing));
    check(&everywhere, &header("Basic dTpw"), &[], Err(TokenFault::Missing));
    check(&everywhere, &[("cookie", "a=b; token=t; c=d")], &[], Ok("t"));
    check(&everywhere, &[("cookie", "a=b"), ("cookie", "token=\"t\"")], &[], Ok("t"));
    check(&everywhere, &[("cookie", "xtoken=t; token")], &[], Err(TokenFault::Missing));
    check(&everywhere, &[("cookie", "token=")], &[], Err(TokenFault::Missing));
    check(&everywhere, &[], &["t"], Ok("t"));
    check(&everywhere, &[("authorization", "Bearer t"), ("cookie", "token=t")], &["t"], Ok("t"));
    check(
        &everywhere,
        &[("authorization", "Bearer t"), ("cookie", "token=u")],
        &[],
        Err(TokenFault::Several),
    );
    check(&everywhere, &header("Bearer t"), &["u"], Err(TokenFault::Several));
    check(&everywhere, &[], &["t", "u"], Err(TokenFault::Several));
    check(
        &everywhere,
        &[("authorization", "Bearer t"), ("authorization", "Bearer u")],
        &[],
        Err(TokenFault::Several),
    );
    let header_only = Carriers::default();
    check(&header_only, &[("cookie", "token=t")], &[], Err(TokenFault::Missing));
    check(&header_only, &[], &["t"], Err(TokenFault::NotFromQuery));
    check(&header_only, &[], &[""], Err(TokenFault::Missing));
    check(&header_only, &header("Bearer t"), &["u"], Ok("t"));
    let not_text = Headers(&[("authorization", b"Bearer \xff")]);
    assert_eq!(header_only.find(&not_text, std::iter::empty()), Err(TokenFault::Malformed));
}
