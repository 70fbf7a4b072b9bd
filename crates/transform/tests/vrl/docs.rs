//! Every program of docs/transformers.md does what stands below it.

use serde_json::{Value, json};

use super::{read, run};

/// The fenced blocks of the page, each with its language.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    let parts: Vec<_> = page.split("```").collect();
    parts.iter().skip(1).step_by(2).filter_map(|block| block.split_once('\n')).collect()
}

#[test]
fn the_pages_programs_make_what_it_says() {
    let page = include_str!("../../../../docs/transformers.md");
    let blocks = blocks(page);
    let (_, event) = blocks.iter().find(|(language, _)| *language == "json").unwrap();
    let event: Value = serde_json::from_str(event).unwrap();
    let mut programs = 0;
    for pair in blocks.windows(2) {
        let [("vrl", program), (language, bodies)] = pair else { continue };
        assert_eq!(*language, "json", "what it makes must follow:\n{program}");
        let expected: Value = serde_json::from_str(bodies).unwrap();
        let outputs = run(program, read(&event)).unwrap_or_else(|refusal| panic!("{program}\n{refusal}"));
        let seen: Vec<_> = outputs.into_iter().map(|output| output.body).collect();
        assert_eq!(json!(seen), expected, "{program}");
        programs += 1;
    }
    assert_eq!(programs, page.matches("```vrl").count());
    assert!(programs >= 5);
}
