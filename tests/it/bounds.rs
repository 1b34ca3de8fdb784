//! Worlds too long to be written as rows: what is large and honest is answered,
//! what has no end is said to have none.

use std::fmt::Write;

use crate::judge::{self, REAL};
use crate::model::MODEL;
use crate::need;
use crate::world::World;

/// `count` names, `liba0.so liba1.so …`.
fn names(stem: &str, count: usize) -> String {
    (0..count).fold(String::new(), |mut text, n| {
        write!(text, " lib{stem}{n}.so").expect("a string");
        text
    })
}

/// The same libraries as files of `/t/l`, each with these properties.
fn files(stem: &str, count: usize, properties: &str) -> String {
    (0..count).fold(String::new(), |mut text, n| {
        writeln!(text, "/t/l/lib{stem}{n}.so: {properties}").expect("a string");
        text
    })
}

/// The model answers as the real loader does, where that is there.
fn agree(text: &str, lines: usize) {
    let world = World::parse(text);
    let said = (MODEL.answer)(&world);
    assert_eq!((said.lines.len(), said.fatal.as_deref()), (lines, None), "{text}");
    if let Err(why) = judge::bench() {
        return need::skip(why);
    }
    assert_eq!(said, (REAL.answer)(&world), "{text}");
}

#[test]
fn many_filtees_of_the_program_are_no_circle() {
    let libraries = [names("f", 249), files("f", 249, "")];
    agree(&format!("/t/m: AUX{}; NEEDED libf0.so; RPATH /t/l\n{}", libraries[0], libraries[1]), 1);
    // One file, asked for and put before the program again and again.
    let again = " libf0.so".repeat(300);
    agree(&format!("/t/m: AUX{again}; RPATH /t/l\n/t/l/libf0.so:"), 1);
}

#[test]
fn filters_that_go_round_in_circles_end() {
    let world = World::parse(
        "/t/m: AUX liba.so; RPATH /t/l\n/t/l/liba.so: FILTER libb.so libb.so\n/t/l/libb.so: AUX liba.so liba.so",
    );
    let said = (MODEL.answer)(&world).fatal.expect("it dies");
    assert!(said.ends_with("is loaded for ever: filters go round in circles"), "{said}");
}
