//! Any call of an operation: an event whose fields are the path's where the path names them, or a refusal. The input is a
//! line `PATH-VALUE/PATH-VALUE?QUERY`, lines `name: value`, an empty line, and the body.
#![no_main]

mod head;

use fanfare_auth::HeaderRules;
use fanfare_event::{Object, SourceName};
use fanfare_source::Intake;
use fanfare_source::rest::{Call, Operation, Rest};
use fanfare_transform::Chain;
use libfuzzer_sys::fuzz_target;

use head::Head;

fuzz_target!(|request: &[u8]| {
    let end = request.windows(2).position(|pair| pair == b"\n\n").unwrap_or(0);
    let (head, body) = (&request[..end], request.get(end + 2..).unwrap_or_default());
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let Ok(target) = std::str::from_utf8(line) else { return };
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let path: Vec<_> = path.split('/').map(str::to_owned).collect();
    let operation = Operation {
        name: "POST /:room/:user".into(),
        parameters: ["room", "user"].into_iter().take(path.len()).map(Into::into).collect(),
    };
    let intake = Intake::new(SourceName::new("fuzz"), "http://localhost", Object::new(), Chain::default());
    let rest = Rest::new(intake, HeaderRules::default(), vec!["x-kept".to_owned()], 1 << 16);
    let now = "2024-05-01T12:00:00Z".parse().expect("a timestamp");
    let call = Call { operation: &operation, path: &path, query };
    let Ok(accepted) = rest.accept(call, &Head::read(&head[line.len()..]), body, now, || "fresh".to_owned())
    else {
        return;
    };
    let [finished] = &accepted.delivery.events[..] else { panic!("one event") };
    assert_eq!(finished.event.kind.as_str(), &*operation.name);
    for (name, value) in operation.parameters.iter().zip(&path) {
        let found = finished.event.body[&**name].as_str().expect("a string");
        assert!(!found.is_empty() && found != "." && found != "..");
        assert!(found == value || value.contains('%'), "the path wins");
    }
});
