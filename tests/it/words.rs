//! The words of the command line: which are none, which file each means.

use crate::cli::Bench;

/// A root, links to it and into it, and files beside it.
fn host_bench() -> Bench {
    let bench = Bench::of(
        "/t/m: NEEDED libA.so; RUNPATH $ORIGIN\n/t/libA.so:\n/t/abs -> /t/m\n/t/abs-dir -> /t\n/usr/bin/app: NEEDED libno.so",
    );
    let dir = bench.dir.path();
    for (target, at) in [("root", "link"), ("root/t", "into"), ("root/t/m", "file")] {
        std::os::unix::fs::symlink(target, dir.join(at)).expect("a link");
    }
    std::fs::copy(dir.join("root/t/m"), dir.join("h")).expect("a copy");
    std::fs::copy(dir.join("root/t/m"), dir.join("app")).expect("a copy");
    std::fs::write(dir.join("script"), "#! /bin/awk -f\n").expect("a script");
    std::fs::create_dir(dir.join("some")).expect("a directory");
    bench
}

#[test]
fn a_relative_path_that_leads_into_the_root_is_a_file_of_it() {
    let bench = host_bench();
    let found = "\tlibA.so => /t/libA.so\n-- 0\n";
    for word in [
        "root/t/m",
        "./root//t/./m",
        "link/t/m",
        "into/m",
        "file",
        "root/../root/t/m",
        "some/../link/t/../t/m",
        "root/t/abs-dir/m",
    ] {
        assert_eq!(bench.says(&["list", word]), found, "{word}");
    }
    // Only in the root does this link lead anywhere.
    assert_eq!(bench.says(&["list", "root/t/abs"]), found);
    let said = bench.says(&["list", "root/t"]);
    assert!(said.ends_with("depcollect: read 2 files in directories: 2 programs or libraries\n"), "{said}");
}

#[test]
fn another_relative_path_is_a_file_of_the_host() {
    let bench = host_bench();
    let note = "it lies outside the root, and is taken as if it stood at the root's top";
    for word in ["h", "./h", "root/../h", "link/../h"] {
        let said = bench.says(&["list", word]);
        assert!(said.starts_with("\tlibA.so => not found\n-- 1\n"), "{word}: {said}");
        assert!(said.contains(&format!("depcollect: note: {word}: {note}\n")), "{said}");
    }
    let rows = [
        ("script", "cannot list `script`: it is a script\nhint: its interpreter is `/bin/awk`; list that\n"),
        (
            "some",
            "cannot list `some`: it is a directory outside the root\nhint: a path of the root starts with a slash; of the host, name the files\n",
        ),
        ("root/../none", "cannot open `root/../none`: No such file or directory\n"),
    ];
    for (word, expected) in rows {
        assert_eq!(bench.says(&["list", word]), format!("-- 2\ndepcollect: error: {expected}"), "{word}");
    }
}

#[test]
fn a_word_of_path_that_hides_a_file_says_so() {
    let said = host_bench().says(&["list", "app"]);
    let note = "depcollect: note: app: taken from PATH: `/usr/bin/app`\nhint: `./app` is the one in the working directory\n";
    assert!(said.starts_with("\tlibno.so => not found\n-- 1\n") && said.contains(note), "{said}");
    assert!(!host_bench().says(&["list", "-q", "app"]).contains("note"));
}
