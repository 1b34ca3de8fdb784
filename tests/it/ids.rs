//! Every scenario that the reference was written from stands in a row.

use std::collections::BTreeSet;

use crate::{ldrows, rows};

/// The ids of the reference, in its order.
const SCENARIOS: &str = "
    G01 G02 G03 G03b G04 G05 G05b G06 G06b G07 G10 G11 G12 G13 G14b G15 G16 G17 G18 G19 G20 G21 G21b
    G22 G23 G24 G30 G31 G32 G33 G34 G35 G36 G37 G38 G39 G40 G41 G41b G42 G43 G44 G45 G46 G47 G48 G50 G51
    G52 G54 G55 G56 G57 G58 G59 G61 G63 G64 G65
    C01 C02 C03 C04 C05 C06 C07 C08 C09 C10 C11 C12 C13 C14 C15
    L01 L02 L03 L03b L04 L05 L06 L07 L08 L09 L10
    K01 K02 K03 K04 K05 K06 K07 K08
    M01 M02 M03 M04 M05 M06 M07 M08 M09 M10 M11 M12 M13 M14 M15 M16 M17 M18 M19 M20 M21 M22 M23
    isa verneed foreign dlopen dlscen
";

/// What no row can say, and why.
const EXCEPT: [(&str, &str); 5] = [
    ("G50", "ld.so --verify: how the kinds of files are told apart is in src/elf/tests.rs"),
    ("L03b", "ldconfig without -X changes links; depcollect changes nothing"),
    ("foreign", "nine machines under qemu: the rows F01 and on, and foreign.rs"),
    ("dlopen", "what a running program opens is not predicted"),
    ("dlscen", "what glibc opens in a running program is not predicted"),
];

#[test]
fn every_scenario_has_a_row() {
    let found: BTreeSet<String> = rows::all().into_iter().chain(ldrows::all()).map(|row| row.id).collect();
    let is_except = |id: &str| EXCEPT.iter().any(|(except, _)| *except == id);
    let (missing, needless): (Vec<_>, Vec<_>) = SCENARIOS
        .split_whitespace()
        .filter(|id| found.contains(*id) == is_except(id))
        .partition(|id| !found.contains(*id));
    assert!(missing.is_empty(), "no row: {missing:?}");
    assert!(needless.is_empty(), "a row, and an exception: {needless:?}");
}
