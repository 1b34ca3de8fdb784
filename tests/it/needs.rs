//! What programs open at run time: rules on small roots, what sets them off, and how
//! they are chosen.

use crate::cli::Bench;

/// Rules on small roots: what sets one off, and what does not.
const WORLD: &str = "
/app: PROG; NEEDED libssl.so.3 libk.so.1 libsasl2.so.2; CALL getpwuid
/lib/x86_64-linux-gnu/libssl.so.3: SONAME libssl.so.3
/lib/x86_64-linux-gnu/libk.so.1: SONAME libk.so.1; CALL pthread_exit getgrnam mkstemp
/lib/x86_64-linux-gnu/libsasl2.so.2: SONAME libsasl2.so.2
/lib/x86_64-linux-gnu/libgcc_s.so.1: SONAME libgcc_s.so.1
/lib/x86_64-linux-gnu/sasl2/libgood.so: NEEDED libssl.so.3
/lib/x86_64-linux-gnu/sasl2/libbad.so: NEEDED libno.so
/etc/ssl/openssl.cnf \"of\\sthe\\sroot\"
/own.cnf \"own\"
/plain: PROG; NEEDED libk.so.1
";

fn said(args: &[&str]) -> String {
    let words = ["collect", "--dry-run", "--allow-missing"].into_iter().chain(args.iter().copied());
    Bench::of(WORLD).says(&words.chain(["dist"]).collect::<Vec<_>>())
}

/// The entries that are there for a rule: path and rule.
pub fn by_rules(said: &str) -> Vec<String> {
    let lines = said.lines().filter(|line| line.starts_with('/'));
    let rule = |line: &str| {
        let (before, _) = line.split_once(", because of ")?;
        Some(format!("{} {}", line.split(' ').next()?, before.rsplit(' ').next()?))
    };
    lines.filter_map(rule).collect()
}

#[test]
fn a_rule_is_set_off_by_what_it_names() {
    let expected = [
        "/etc/group users",
        "/etc/passwd users",
        "/etc/ssl/openssl.cnf openssl",
        "/lib/x86_64-linux-gnu/libgcc_s.so.1 gccs",
        "/lib/x86_64-linux-gnu/sasl2/libgood.so sasl2",
        "/tmp/ tmp",
    ];
    let all = said(&["/app"]);
    assert_eq!(by_rules(&all), expected, "{all}");
    assert!(all.contains("gccs, because of pthread_exit in /lib/x86_64-linux-gnu/libk.so.1"), "{all}");
    assert!(all.contains("libbad.so: left out: "), "{all}");
    // libssl is what a rule is set off by, and what another one's module loads.
    let line = "depcollect: for run time: 5 files, ";
    let rules = ", by the rules gccs, users, tmp, openssl, sasl2; COPY over a base replaces its /etc/group, /etc/passwd\n";
    assert!(all.contains(line) && all.contains(rules), "{all}");
    // A library asks for groups: that is not the program's own concern.
    let plain = said(&["/plain"]);
    assert_eq!(by_rules(&plain), ["/lib/x86_64-linux-gnu/libgcc_s.so.1 gccs", "/tmp/ tmp"], "{plain}");
}

#[test]
fn rules_can_be_chosen() {
    for args in [["--needs", "off"], ["--needs", "warn"]] {
        let none = said(&["/app", args[0], args[1]]);
        assert_eq!(by_rules(&none), [""; 0], "{none}");
        assert_eq!(none.contains("gccs"), args[1] == "warn", "{none}");
    }
    let one = said(&["/app", "--needs", "off", "--with", "gccs"]);
    assert_eq!(by_rules(&one), ["/lib/x86_64-linux-gnu/libgcc_s.so.1 gccs"], "{one}");
    let others = said(&["/app", "--without", "gccs", "--without", "users", "--without=sasl2"]);
    assert_eq!(by_rules(&others), ["/etc/ssl/openssl.cnf openssl", "/tmp/ tmp"], "{others}");
    let unasked = said(&["/plain", "--with", "magic"]);
    assert!(unasked.contains("warning: --with: no program sets off the rule `magic`"), "{unasked}");
    let unknown = said(&["/app", "--with", "nothing"]);
    assert!(
        unknown.contains(
            "cannot use the rule `nothing`: there is none of that name\nhint: the rules are gccs, "
        )
    );
    assert!(unknown.contains("-- 2\n"), "{unknown}");
    let unknown = Bench::of(WORLD).says(&["needs", "--with", "nothing", "/app", "/plain"]);
    let words = "-- 2\ndepcollect: error: cannot use the rule `nothing`: there is none of that name\nhint: the rules are gccs, ";
    assert!(unknown.starts_with(words) && unknown.lines().count() == 3, "{unknown}");
    let hint = "\nhint: `--dlopen none|required|recommended|suggested` chooses that\n";
    for option in ["--with", "--without"] {
        let dlopen = Bench::of(WORLD).says(&["needs", option, "dlopen", "/app"]);
        assert!(dlopen.ends_with(hint), "{dlopen}");
    }
    let unasked = Bench::of(WORLD).says(&["needs", "--with", "magic", "/plain"]);
    assert!(unasked.starts_with("/plain\n") && unasked.ends_with("-- 0\n"), "{unasked}");
}

/// The words of the failure are the same whatever the program starts or opens.
#[test]
fn a_suggestion_says_what_it_is_about() {
    let world = "
        /app: PROG; CALL execve krb5_init_context; TEXT /usr/bin/less; DLOPEN [{\"soname\":[\"liba.so\"]},{\"soname\":[\"libb.so\"],\"priority\":\"suggested\",\"description\":\"things\"}]
        /usr/bin/less: PROG
        /etc/krb5.conf \"x\"
        /lib/x86_64-linux-gnu/liba.so: SONAME liba.so
        /lib/x86_64-linux-gnu/libb.so: SONAME libb.so";
    let said = Bench::of(world).says(&["--dry-run", "--dlopen", "required", "/app", "dist"]);
    let notes: Vec<&str> = said.lines().filter(|line| line.contains(": not taken along (")).collect();
    let expected = "\
depcollect: note: exec: /usr/bin/less beside execve in /app: not taken along (`--with exec`); without it: No such file or directory, for a program that it starts
depcollect: note: krb5: krb5_init_context in /app: not taken along (`--with krb5`); without it: Cannot find KDC for realm
depcollect: note: dlopen: liba.so in /app: not taken along (`--dlopen recommended`)
depcollect: note: dlopen: libb.so in /app: not taken along (`--dlopen suggested`); for: things";
    assert_eq!(notes.join("\n"), expected, "{said}");
}

#[test]
fn what_an_option_brings_no_rule_brings() {
    let world = format!("{WORLD}/tz: PROG; CALL tzset getpwuid\n/usr/share/zoneinfo/UTC \"TZif2\"\n");
    let say = |args: &[&str]| Bench::of(&world).says(&[&["--dry-run"], args, &["/tz", "dist"]].concat());
    let rules = say(&[]);
    let line =
        "note: tz: not taken along (`--tz`); without it: another time zone than UTC is taken for UTC\n";
    assert!(rules.contains(line) && rules.contains("users, because"), "{rules}");
    let options = say(&["--tz=UTC", "--user"]);
    assert!(options.contains("-- 0\n") && !options.contains("because of"), "{options}");
}

#[test]
fn what_somebody_names_goes_before_a_rule() {
    let own = said(&["/app", "--include", "/own.cnf:/etc/ssl/openssl.cnf"]);
    assert!(own.contains("-- 0\n") && !by_rules(&own).iter().any(|line| line.contains("openssl")), "{own}");
    let link = said(&["/app", "--symlink", "/etc/passwd=/data/passwd"]);
    assert!(link.contains("-- 0\n") && link.contains("/etc/passwd -> /data/passwd"), "{link}");
    let excluded =
        said(&["/app", "--exclude", "/lib/x86_64-linux-gnu/libgcc_s.so.1", "--exclude", "/etc/passwd"]);
    assert!(!excluded.contains("/etc/passwd ") && !excluded.contains("gccs"), "{excluded}");
}

#[test]
fn a_library_that_only_the_cache_knows_gets_a_link() {
    let world = "/app: PROG; CALL pthread_exit
/opt/x/libgcc_s.so.1: SONAME libgcc_s.so.1
conf: /opt/x";
    let said = Bench::of(world).says(&["--dry-run", "/app", "dist"]);
    let expected = ["/lib/x86_64-linux-gnu/libgcc_s.so.1 gccs", "/opt/x/libgcc_s.so.1 gccs"];
    assert_eq!(by_rules(&said), expected, "{said}");
    let link = "/lib/x86_64-linux-gnu/libgcc_s.so.1 -> /opt/x/libgcc_s.so.1 ";
    assert!(said.contains(link) && said.contains("-- 0\n"), "{said}");
    // One that lies where the loader looks without a cache goes first.
    let both = format!("{world}\n/usr/lib/libgcc_s.so.1: SONAME libgcc_s.so.1");
    let said = Bench::of(&both).says(&["--dry-run", "/app", "dist"]);
    assert_eq!(by_rules(&said), ["/usr/lib/libgcc_s.so.1 gccs"], "{said}");
}
