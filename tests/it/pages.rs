//! Manual pages and completions, judged by those who read them: groff and the
//! shells.

use std::process::{Command, Output};

use crate::need;

fn depcollect(args: &[&str]) -> Output {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("depcollect"));
    let output = command.args(args).output().expect("it runs");
    assert_eq!((output.status.code(), &output.stderr[..]), (Some(0), &b""[..]), "{args:?}");
    output
}

/// What `depcollect ARGS | JUDGE FILE` says, where there is such a judge.
fn judged(args: &[&str], judge: &[&str]) -> Option<Output> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), depcollect(args).stdout).expect("a file");
    let words = judge[1..].iter().map(|word| word.replace("FILE", &file.path().to_string_lossy()));
    match Command::new(judge[0]).args(words).env("HOME", "/").output() {
        Ok(output) => Some(output),
        Err(_) => {
            need::skip(&format!("no {}", judge[0]));
            None
        }
    }
}

const PAGES: [&[&str]; 8] = [
    &["man"],
    &["man", "collect"],
    &["man", "list"],
    &["man", "why"],
    &["man", "check"],
    &["man", "needs"],
    &["man", "man"],
    &["man", "completions"],
];

#[test]
fn groff_has_nothing_to_say_of_a_manual_page() {
    for args in PAGES {
        let Some(output) = judged(args, &["groff", "-man", "-ww", "-z", "FILE"]) else { return };
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
        assert!(output.status.success(), "{args:?}");
    }
}

/// The headings and options of the whole are those of the main form.
#[test]
fn a_manual_page_has_all_its_parts() {
    let page = |args| String::from_utf8(depcollect(args).stdout).expect("text");
    let headings = |page: &str| {
        let headings = page.lines().filter_map(|line| line.strip_prefix(".SH "));
        headings.map(|heading| heading.trim_matches('"').to_owned()).collect::<Vec<_>>().join(", ")
    };
    let whole = page(&["man"]);
    let list = page(&["man", "list"]);
    assert_eq!(
        headings(&whole),
        "NAME, SYNOPSIS, DESCRIPTION, OPTIONS, CONTENTS, TREE, SEARCH, OUTPUT, SUBCOMMANDS, EXIT STATUS, ENVIRONMENT, EXAMPLES"
    );
    assert_eq!(
        headings(&list),
        "NAME, SYNOPSIS, DESCRIPTION, OPTIONS, SEARCH, OUTPUT, EXIT STATUS, ENVIRONMENT, EXAMPLES"
    );
    assert!(whole.contains(r"\-\-ca\-certs") && !list.contains(r"\-\-ca\-certs"));
    assert!(whole.starts_with(".ie") && whole.contains(".TH depcollect 1"), "{whole:.80}");
    assert!(list.contains(".TH depcollect-list 1"), "{list:.200}");
}

/// What each shell offers for a line that was begun.
#[test]
fn shells_complete_commands_options_and_values() {
    const ASK_BASH: &str = r#"source FILE; COMP_WORDS=(LINE); COMP_CWORD=$((${#COMP_WORDS[@]} - 1));
        _depcollect depcollect "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"; printf '%s\n' "${COMPREPLY[@]}""#;
    const ASK_FISH: &str = r#"source FILE; complete -C "LINE" | string replace -r '\t.*' ''"#;
    const BOTH: &[(&str, &str)] = &[("bash", ASK_BASH), ("fish", ASK_FISH)];
    // fish is not told the values of words that are no options.
    const BASH: &[(&str, &str)] = &[("bash", ASK_BASH)];
    for (line, expected, shells) in [
        ("depcollect comp", "completions", BOTH),
        ("depcollect nee", "needs", BOTH),
        ("depcollect --ca", "--ca-certs", BOTH),
        ("depcollect needs --format tr", "tree", BOTH),
        ("depcollect list --form", "--format", BOTH),
        ("depcollect why --al", "--all", BOTH),
        ("depcollect list --format js", "json", BOTH),
        ("depcollect collect --layout mer", "merged", BOTH),
        ("depcollect man ch", "check", BASH),
        ("depcollect completions el", "elvish", BASH),
    ] {
        for (shell, ask) in shells {
            let ask = ask.replace("LINE", line);
            let Some(output) = judged(&["completions", shell], &[shell, "-c", &ask]) else { continue };
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), expected, "{shell}: {line}: {said}");
        }
    }
}

/// What an interactive elvish would have made; it is this shell that leaves out
/// what does not begin as the word does.
const ELVISH: &str = "var edit: = (ns [&completion:=(ns [&arg-completer=[&]]) \
                      &complex-candidate~={|word &display=''| put $word}])";

#[test]
fn elvish_completes_commands_and_options() {
    for (line, expected) in [("depcollect comp", "completions"), ("depcollect list --form", "--format")] {
        let ask = format!(
            "{ELVISH}\neval (cat FILE | slurp)\n\
             $edit:completion:arg-completer[depcollect] {line} | each $echo~"
        );
        let Some(output) = judged(&["completions", "elvish"], &["elvish", "-c", &ask]) else { return };
        let said = String::from_utf8_lossy(&output.stdout);
        let there = said.lines().any(|offered| offered == expected);
        assert!(there, "{line}: {said}{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Who cannot be asked for a line can at least read it.
#[test]
fn zsh_reads_its_completions() {
    let Some(output) = judged(&["completions", "zsh"], &["zsh", "-n", "FILE"]) else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// No Debian package has this shell.
#[test]
fn powershell_has_completions() {
    let script = String::from_utf8(depcollect(&["completions", "powershell"]).stdout).expect("text");
    assert!(script.contains("Register-ArgumentCompleter -Native -CommandName 'depcollect'"));
    assert!(script.contains("'--ca-certs'") && script.contains("'depcollect;list'"));
}
